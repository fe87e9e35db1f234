import CHDF5

extension DataSet {
  /// How many elements a selection has; an error if it does not fit the data set.
  public func elementCount(of selection: Selection) throws(HDF5Error) -> Int {
    try HDF5Library.locked { () throws(HDF5Error) in
      try setPlan(selection)
      return plan.elementCount
    }
  }

  /// Reads a selection into the caller's memory, in row-major order. Allocates nothing for `.rows`, `.all` and
  /// `.nothing`, nor for a hyperslab that the caller keeps.
  /// - Parameter buffer: Exactly as many elements as the selection has, of the type the data set holds.
  public func read<Element: HDF5Element>(
    _ selection: Selection = .all, into buffer: UnsafeMutableBufferPointer<Element>,
    transfer: Transfer = .independent
  ) throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      try check(selection, Element.elementKind, bufferCount: buffer.count)
      let type = Element.elementKind.memoryType
      try move(MemoryLayout<Element>.size, transfer, "reading") { offset, memory, selected, properties in
        H5Dread(id, type, memory, selected, properties, buffer.baseAddress.map { $0 + offset })
      }
    }
  }

  /// The elements of a selection, in row-major order.
  public func read<Element: HDF5Element>(
    _ type: Element.Type = Element.self, _ selection: Selection = .all, transfer: Transfer = .independent
  ) throws(HDF5Error) -> [Element] {
    // Before memory is taken for elements of the wrong type.
    let count = try HDF5Library.locked { () throws(HDF5Error) in
      try check(selection, Element.elementKind, bufferCount: nil)
      return plan.elementCount
    }
    var failure: HDF5Error?
    let elements = [Element](unsafeUninitializedCapacity: count) { memory, initialized in
      do throws(HDF5Error) {
        try read(selection, into: UnsafeMutableBufferPointer(rebasing: memory[..<count]), transfer: transfer)
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return elements
  }

  /// Writes the caller's elements, in row-major order, to a selection.
  /// - Parameter buffer: Exactly as many elements as the selection has, of the type the data set holds.
  public func write<Element: HDF5Element>(
    _ buffer: UnsafeBufferPointer<Element>, to selection: Selection = .all, transfer: Transfer = .independent
  ) throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireWritable(path)
      try check(selection, Element.elementKind, bufferCount: buffer.count)
      let type = Element.elementKind.memoryType
      try move(MemoryLayout<Element>.size, transfer, "writing") { offset, memory, selected, properties in
        H5Dwrite(id, type, memory, selected, properties, buffer.baseAddress.map { $0 + offset })
      }
    }
  }

  /// Writes elements, in row-major order, to a selection.
  public func write<Element: HDF5Element>(
    _ elements: [Element], to selection: Selection = .all, transfer: Transfer = .independent
  ) throws(HDF5Error) {
    try elements.withUnsafeBufferPointer { (buffer) throws(HDF5Error) in
      try write(buffer, to: selection, transfer: transfer)
    }
  }

  /// Takes over a selection of this data set.
  func setPlan(_ selection: Selection) throws(HDF5Error) {
    try file.requireOpen(path)
    if let wrong = plan.set(selection, shape: shape) {
      throw HDF5Error(wrong.code, file: file.path, object: path, wrong.message)
    }
  }

  private func check(_ selection: Selection, _ wanted: ElementKind, bufferCount: Int?) throws(HDF5Error) {
    try file.requireOpen(path)
    guard wanted == kind else {
      throw HDF5Error(
        .wrongElement, file: file.path, object: path, "elements of type \(wanted) were asked for, and it holds \(kind).")
    }
    try setPlan(selection)
    guard bufferCount == nil || bufferCount == plan.elementCount else {
      throw HDF5Error(
        .wrongShape, file: file.path, object: path,
        "the selection has \(plan.elementCount) elements, and the memory given for it \(bufferCount!) "
          + "(shape \(shape)).")
    }
  }

  /// Makes the planned transfer in as many calls as the limit demands.
  ///
  /// `call` gets the offset of its piece in the caller's memory (in elements), the two data spaces and the
  /// transfer properties.
  func move(
    _ elementBytes: Int, _ transfer: Transfer, _ action: StaticString,
    _ call: (_ offset: Int, _ memory: hid_t, _ selected: hid_t, _ properties: hid_t) -> herr_t
  ) throws(HDF5Error) {
    let limit = file.parallel == nil ? Int.max : HDF5Library.maximumTransferBytes
    plan.divide(elementBytes: elementBytes, limit: limit)
    var calls = plan.pieceCountTotal
    var properties = chdf5_default()
    // In a data set without elements all ranks know that there is nothing to do; the library would fail, having
    // no place in the file.
    if let parallel = file.parallel, transfer == .collective, elementCount > 0 {
      properties = HDF5Library.constants.collectiveTransfer
      calls = 1
      // Below the limit even the whole data set takes one call: all ranks know it without asking each other.
      if elementCount > limit / elementBytes {
        calls = try parallel.maximum(max(1, plan.pieceCountTotal), file: file.path)
      }
    }
    var offset = 0
    for index in 0..<calls {
      var status: herr_t
      var elements = 0
      if index < plan.pieceCountTotal {
        elements = plan.setPiece(index)
        status = selectPiece()
      } else {
        status = selectNothing()
      }
      if status >= 0 { status = call(offset, memorySpace, fileSpace, properties) }
      guard status >= 0 else { throw .ofLibrary(file.path, path, "\(action) the data set failed.") }
      offset += elements
    }
  }

  private func selectPiece() -> herr_t {
    let rank = shape.count
    guard rank > 0 else {
      memoryIsSelected = true
      return min(H5Sselect_all(fileSpace), H5Sselect_all(memorySpace))
    }
    // Memory has the rank of the file: between equal shapes the library copies rows, else element by element.
    if (0..<rank).contains(where: { memoryExtents[$0] != plan.pieceCount[$0] }) {
      for axis in 0..<rank { memoryExtents[axis] = plan.pieceCount[axis] }
      guard H5Sset_extent_simple(memorySpace, Int32(rank), plan.pieceCount, nil) >= 0 else { return -1 }
      memoryIsSelected = false
    }
    if !memoryIsSelected {
      guard H5Sselect_all(memorySpace) >= 0 else { return -1 }
      memoryIsSelected = true
    }
    return H5Sselect_hyperslab(fileSpace, H5S_SELECT_SET, plan.pieceStart, plan.stride, plan.pieceCount, nil)
  }

  private func selectNothing() -> herr_t {
    memoryIsSelected = false
    return min(H5Sselect_none(fileSpace), H5Sselect_none(memorySpace))
  }
}
