import CHDF5

extension Group {
  /// Makes a data set of numbers, without writing any.
  /// - Parameters:
  ///   - shape: Extents, outermost axis first; empty for a scalar. Extents may be 0.
  ///   - chunks: Extents of a chunk, one an axis; a longer chunk is cut to the shape. `nil` keeps the elements
  ///     in one piece.
  ///   - fill: What elements hold that are never written; zero unless told.
  @discardableResult
  public func createDataSet<Element: HDF5Element>(
    _ path: String, of type: Element.Type, shape: [Int], chunks: [Int]? = nil, fill: Element? = nil
  ) throws(HDF5Error) -> DataSet {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      try makeDataSet(path, type: Element.elementKind.littleEndianType, shape: shape, chunks: chunks) {
        guard var fill else { return 0 }
        return H5Pset_fill_value($0, Element.elementKind.memoryType, &fill)
      }
    }
  }

  /// An existing data set.
  public func dataSet(_ path: String) throws(HDF5Error) -> DataSet {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      try file.require(.dataSet, at: path)
      let id = H5Dopen2(file.id, path, chdf5_default())
      guard id >= 0 else { throw .ofLibrary(file.path, path, "the data set could not be opened.") }
      return try DataSet(adopting: id, file: file, path: path)
    }
  }

  /// Makes a data set at an absolute path, inside the lock. `setFill` may set a fill value in the property list.
  func makeDataSet(
    _ path: String, type: hid_t, shape: [Int], chunks: [Int]?, setFill: (hid_t) -> herr_t = { _ in 0 }
  ) throws(HDF5Error) -> DataSet {
    try file.requireFree(path)
    let space = try DataSpace.make(shape, file: file.path, object: path)
    defer { H5Sclose(space) }
    let creation = H5Pcreate(chdf5_dataset_create())
    defer { H5Pclose(creation) }
    var status = H5Pset_obj_track_times(creation, false)
    if let chunks {
      guard chunks.count == shape.count, !shape.isEmpty, chunks.allSatisfy({ $0 > 0 }) else {
        throw HDF5Error(
          .invalidArgument, file: file.path, object: path,
          "chunks of shape \(chunks) do not fit a data set of shape \(shape): one positive extent an axis is needed.")
      }
      let extents = zip(chunks, shape).map { hsize_t(min($0, max($1, 1))) }
      status = min(status, H5Pset_chunk(creation, Int32(extents.count), extents))
    }
    if file.isParallel {
      // Ranks write without telling each other, so nothing may be left to allocate then.
      status = min(status, H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY))
    }
    status = min(status, setFill(creation))
    guard status >= 0 else { throw .ofLibrary(file.path, path, "the data set's properties were refused.") }
    let id = H5Dcreate2(
      file.id, path, type, space, HDF5Library.constants.linkCreation, creation, chdf5_default())
    guard id >= 0 else { throw .ofLibrary(file.path, path, "the data set could not be made.") }
    return try DataSet(adopting: id, file: file, path: path)
  }
}
