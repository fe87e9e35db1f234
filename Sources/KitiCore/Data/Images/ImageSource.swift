/// Images with their classes, in the form in which somebody publishes them.
public protocol ImageSource: AnyObject {
  /// Where the images come from, for the data set's attribute `source`.
  var origin: String { get }
  var shape: ImageShape { get }
  /// The names of the classes; a class's number is its place.
  var classes: [String] { get }

  func sampleCount(_ split: DataSplit) -> Int

  /// Reads some samples. Fastest in their order, since most forms have no other.
  ///
  /// - Parameters:
  ///   - samples: their indices in the split.
  ///   - images: `[samples.count, height, width, channels]`, filled on return.
  ///   - labels: `[samples.count]`, filled on return; each less than the number of classes.
  /// - Throws: `KitiError` of kind `.badData` that names the file and the place in it.
  func read(
    _ split: DataSplit, _ samples: Range<Int>, images: UnsafeMutableBufferPointer<UInt8>,
    labels: UnsafeMutableBufferPointer<Int32>) throws
}

/// Extents of one image.
public struct ImageShape: Sendable, Equatable {
  public var height: Int
  public var width: Int
  /// 1 (grey) or 3 (red, green, blue).
  public var channels: Int

  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  /// Bytes of one image.
  public var size: Int { height * width * channels }
}

/// The image data sets that can be imported. The raw value is the attribute `kind` of the imported file.
public enum ImageKind: String, Sendable, CaseIterable {
  case cifar10, cifar100
  case fashionMNIST = "fashion-mnist"
  case mnist
  /// Files in folders, one folder a class.
  case images
}
