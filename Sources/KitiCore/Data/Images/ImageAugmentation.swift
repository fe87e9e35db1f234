/// How training looks at images: each epoch shifts, mirrors and covers them differently.
///
/// A look is a pure function of (seed, sample, epoch): it depends neither on the rank nor on the batch.
public struct ImageAugmentation: Sendable, Equatable {
  /// What lies beyond an image's edge.
  public enum Padding: String, Sendable, CaseIterable {
    /// The mean colour, which normalisation makes zero (He et al., "Deep residual learning", 2016, 4.2).
    case zero
    /// The image mirrored at its outermost pixels.
    case reflect
  }

  public enum Flip: String, Sendable, CaseIterable {
    case none
    /// Mirrored left to right in one of two epochs, by chance.
    case random
    /// Mirrored left to right in every second epoch, after a first one by chance (Jordan, "94 % on CIFAR-10 in 3.29
    /// seconds on a single GPU", 2024, 3.6).
    case alternating
  }

  /// Pixels by which an image may move along each axis, either way; all moves are equally likely.
  public var crop: Int
  public var padding: Padding
  public var flip: Flip
  /// Side of a square, in pixels, that is covered with the mean colour; its centre is any pixel, so that it may
  /// reach beyond the edge (DeVries and Taylor, "Improved regularization with cutout", 2017).
  public var cutout: Int

  public init(crop: Int = 0, padding: Padding = .zero, flip: Flip = .none, cutout: Int = 0) {
    self.crop = crop
    self.padding = padding
    self.flip = flip
    self.cutout = cutout
  }

  /// Images as they are.
  public static let none = ImageAugmentation()

  /// One look at an image.
  public struct Look: Sendable, Equatable {
    /// Output pixel (y, x) shows pixel (y + down, x + right) of the image; what lies beyond its edge is as `padding` says.
    public var down: Int
    public var right: Int
    /// Whether what has been moved is mirrored.
    public var isMirrored: Bool
    /// Rows and columns of the output that are covered.
    package var coveredRows = 0..<0
    package var coveredColumns = 0..<0

    /// An image as it is, unless told otherwise.
    public init(down: Int = 0, right: Int = 0, isMirrored: Bool = false) {
      self.down = down
      self.right = right
      self.isMirrored = isMirrored
    }
  }

  /// The look at a sample's image in an epoch.
  package func look(seed: UInt64, epoch: Int, sample: Int, shape: ImageShape) -> Look {
    let stream = RandomStream(seed: seed, stream: UInt64(sample), domain: .augmentation)
    let address = RandomStream.Address(step: UInt32(truncatingIfNeeded: epoch))
    @inline(__always) func draw(_ count: Int, _ lane: UInt32) -> Int {
      Int(stream.uniform(at: address, lane: lane) * Double(count))
    }
    var look = Look()
    if crop > 0 {
      look.down = draw(2 * crop + 1, 0) - crop
      look.right = draw(2 * crop + 1, 1) - crop
    }
    switch flip {
    case .none: break
    case .random: look.isMirrored = draw(2, 2) == 1
    case .alternating:
      // The same in all epochs: item 1 has no other use.
      let first = stream.uniform(at: .init(item: 1), lane: 0) < 0.5
      look.isMirrored = first == (epoch % 2 == 0)
    }
    if cutout > 0 {
      let top = draw(shape.height, 3) - cutout / 2
      let left = draw(shape.width, 4) - cutout / 2
      look.coveredRows = max(0, top)..<min(shape.height, top + cutout)
      look.coveredColumns = max(0, left)..<min(shape.width, left + cutout)
    }
    return look
  }

  /// Throws unless images of this shape can be looked at so.
  func check(_ shape: ImageShape, _ path: String) throws {
    let side = min(shape.height, shape.width)
    let images = "and the images of \(path) are \(shape.height) x \(shape.width)"
    guard (0..<side).contains(crop) else {
      throw KitiError(
        .usage, "data.augmentation.crop is \(crop), \(images).", remedy: "Move images by less than their size.")
    }
    guard (0...side).contains(cutout) else {
      throw KitiError(
        .usage, "data.augmentation.cutout is \(cutout), \(images).", remedy: "Cover no more than an image.")
    }
  }
}
