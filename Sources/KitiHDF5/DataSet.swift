import CHDF5

/// A data set of a file: an array of numbers or of texts.
///
/// Stays usable until its file is closed. May be shared between threads; calls take turns.
public final class DataSet: @unchecked Sendable {
  public let file: HDF5File
  /// The data set's absolute path in the file.
  public let path: String
  /// Extents, outermost axis first; empty for a scalar.
  public let shape: [Int]
  public let kind: ElementKind
  /// Extents of one chunk; `nil` when the elements lie in one piece.
  public let chunkShape: [Int]?

  let id: hid_t
  /// The selections of the transfer under way. Kept, like `plan`, so that a transfer makes nothing new.
  let fileSpace: hid_t
  let memorySpace: hid_t
  var plan: SlabPlan
  /// The extents `memorySpace` has now, and whether all of it is selected.
  var memoryExtents: [hsize_t]
  var memoryIsSelected = true

  public var elementCount: Int { shape.reduce(1, *) }

  public var attributes: Attributes { Attributes(file: file, path: path) }

  /// Takes over an open data set, closing it if it cannot be described. Inside the lock.
  init(adopting id: hid_t, file: HDF5File, path: String) throws(HDF5Error) {
    let description: (space: hid_t, memory: hid_t, shape: [Int], kind: ElementKind, chunks: [Int]?)
    do throws(HDF5Error) {
      description = try Self.describe(id, file: file, path: path)
    } catch {
      H5Dclose(id)
      throw error
    }
    self.id = id
    self.file = file
    self.path = path
    fileSpace = description.space
    memorySpace = description.memory
    shape = description.shape
    kind = description.kind
    chunkShape = description.chunks
    plan = SlabPlan(rank: description.shape.count)
    memoryExtents = description.shape.map { hsize_t($0) }
  }

  deinit {
    HDF5Library.lockedQuietly {
      H5Sclose(fileSpace)
      H5Sclose(memorySpace)
      if file.isOpen { H5Dclose(id) }
    }
  }

  private static func describe(_ id: hid_t, file: HDF5File, path: String) throws(HDF5Error) -> (
    space: hid_t, memory: hid_t, shape: [Int], kind: ElementKind, chunks: [Int]?
  ) {
    let type = H5Dget_type(id)
    guard type >= 0 else { throw .ofLibrary(file.path, path, "the element type could not be read.") }
    let kind = ElementKind(ofType: type)
    H5Tclose(type)

    let space = H5Dget_space(id)
    guard space >= 0 else { throw .ofLibrary(file.path, path, "the shape could not be read.") }
    do throws(HDF5Error) {
      let shape = try DataSpace.shape(of: space, file: file.path, object: path)
      let memory = try DataSpace.make(shape, file: file.path, object: path)
      let creation = H5Dget_create_plist(id)
      defer { H5Pclose(creation) }
      var chunks: [Int]?
      if H5Pget_layout(creation) == H5D_CHUNKED {
        var extents = [hsize_t](repeating: 0, count: shape.count)
        H5Pget_chunk(creation, Int32(shape.count), &extents)
        chunks = extents.map { Int($0) }
      }
      return (space, memory, shape, kind, chunks)
    } catch {
      H5Sclose(space)
      throw error
    }
  }
}

/// Shapes in the library's form.
enum DataSpace {
  /// The shape of a data space. An empty one (neither scalar nor array) is an error.
  static func shape(of space: hid_t, file: String, object: String) throws(HDF5Error) -> [Int] {
    switch H5Sget_simple_extent_type(space) {
    case H5S_SCALAR: return []
    case H5S_SIMPLE: break
    default: throw HDF5Error(.unsupported, file: file, object: object, "this holds no value at all (null data space).")
    }
    let rank = H5Sget_simple_extent_ndims(space)
    guard rank >= 0 else { throw .ofLibrary(file, object, "the shape could not be read.") }
    var extents = [hsize_t](repeating: 0, count: Int(rank))
    guard H5Sget_simple_extent_dims(space, &extents, nil) >= 0 else {
      throw .ofLibrary(file, object, "the shape could not be read.")
    }
    guard extents.allSatisfy({ $0 <= hsize_t(Int.max) }), isAddressable(extents.map { Int($0) }) else {
      throw HDF5Error(.unsupported, file: file, object: object, "the shape \(extents) is too large for this machine.")
    }
    return extents.map { Int($0) }
  }

  /// A data space of this shape. The caller closes it.
  static func make(_ shape: [Int], file: String, object: String) throws(HDF5Error) -> hid_t {
    guard shape.allSatisfy({ $0 >= 0 }), shape.count <= 32, isAddressable(shape) else {
      throw HDF5Error(
        .invalidArgument, file: file, object: object,
        "the shape \(shape) is impossible: at most 32 axes, no negative extent, less than 2^59 elements.")
    }
    let space = shape.isEmpty
      ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil)
    guard space >= 0 else { throw .ofLibrary(file, object, "the shape \(shape) was refused.") }
    return space
  }

  /// Whether bytes of such an array can be counted in `Int`, with elements of up to 16 bytes.
  private static func isAddressable(_ shape: [Int]) -> Bool {
    var count = 1
    for extent in shape where extent > 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product < 1 << 59 else { return false }
      count = product
    }
    return true
  }
}
