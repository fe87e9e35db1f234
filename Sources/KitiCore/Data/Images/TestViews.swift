/// The looks at an image of whose predictions an evaluation takes the mean (test-time augmentation; Krizhevsky et al. 2012,
/// "ImageNet classification with deep convolutional neural networks", §4.1).
public struct TestViews: Sendable, Equatable {
  /// Whether each look is there mirrored as well.
  public var flips: Bool
  /// Pixels by which images also move along each axis, either way and by each number up to it.
  public var shift: Int

  public init(flips: Bool = false, shift: Int = 0) {
    self.flips = flips
    self.shift = shift
  }

  /// Images as they are.
  public static let plain = TestViews()

  /// (2 · shift + 1)² moves, each twice if images are mirrored. One of them is the image as it is.
  package var looks: [ImageAugmentation.Look] {
    let moves = -shift...shift
    return moves.flatMap { down in
      moves.flatMap { right in
        (flips ? [false, true] : [false]).map { ImageAugmentation.Look(down: down, right: right, isMirrored: $0) }
      }
    }
  }

  /// What an evaluation was of, other than images as they are.
  var remarks: [String] {
    (shift == 0 ? [] : ["images moved by up to \(shift) pixel\(shift == 1 ? "" : "s") too"])
      + (flips ? ["flipped images too"] : [])
  }

  /// Throws unless inputs of this shape can be looked at so.
  func check(inputShape: [Int]) throws(KitiError) {
    guard self != .plain else { return }
    let key = flips ? "testFlip" : "testShift"
    guard inputShape.count == 3 else {
      throw KitiError(
        .usage, "training.\(key) asks for other views of a test image, and the data set's samples are no images.",
        remedy: "Leave it out.")
    }
    guard shift < min(inputShape[0], inputShape[1]) else {
      throw KitiError(
        .usage,
        "training.testShift is \(shift), and the data set's images are \(inputShape[0]) x \(inputShape[1]).",
        remedy: "Move images by less than their size.")
    }
  }
}
