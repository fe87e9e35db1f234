/// A data set opened on this rank: samples by number, as a network takes them.
///
/// May be shared between threads.
public protocol SampleSource: AnyObject, Sendable {
  var path: String { get }
  /// The shape of one input: `[points, channels]` of a field, `[height, width, channels]` of an image.
  var inputShape: [Int] { get }
  /// The shape of one target: of a field as of the input, `[1]` for the number of a class.
  var targetShape: [Int] { get }
  /// How many classes there are; nil where targets are fields.
  var classCount: Int? { get }

  func sampleCount(_ split: DataSplit) -> Int

  /// Reads one sample. Allocates nothing in the steady state.
  ///
  /// - Parameters:
  ///   - sample: its index in the split.
  ///   - view: as it is, or as training sees it.
  ///   - input: `inputShape`, filled on return.
  ///   - target: `targetShape`, filled on return; the number of a class as a float.
  /// - Throws: `KitiError`: `.usage` for an index or buffers that do not fit, `.badData` when it cannot be read.
  func read(
    _ split: DataSplit, sample: Int, view: SampleView, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>) throws
}

/// How a sample is looked at.
public enum SampleView: Sendable, Equatable {
  /// An image moved and mirrored; fields stay as they are.
  case look(ImageAugmentation.Look)
  /// Augmented, if the data set is: a pure function of the seed, the epoch and the sample's index, whatever rank reads it.
  case training(seed: UInt64, epoch: Int)

  /// As it is.
  public static let plain = SampleView.look(ImageAugmentation.Look())
}
