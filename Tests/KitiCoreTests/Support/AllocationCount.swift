import Glibc

/// Counts the objects, arrays, boxes and closures that a body of code allocates on its thread.
///
/// The Swift runtime makes all of them by one function, which it lets instruments replace by way of two variables.
/// Memory that is taken from the C library directly is not counted; no pass of a network has reason to take any.
enum AllocationCount {
  private typealias Allocate = @convention(c) (UnsafeRawPointer?, Int, Int) -> UnsafeMutableRawPointer?

  nonisolated(unsafe) private static var thread = pthread_t()
  nonisolated(unsafe) private static var count = 0
  nonisolated(unsafe) private static var original: Allocate?

  private static let counting: Allocate = { type, size, alignmentMask in
    if pthread_self() == AllocationCount.thread { AllocationCount.count &+= 1 }
    return AllocationCount.original!(type, size, alignmentMask)
  }

  /// - Returns: nil if this runtime has no such variables.
  static func during(_ body: () -> Void) -> Int? {
    guard
      let function = dlsym(nil, "_swift_allocObject")?.assumingMemoryBound(to: Allocate?.self),
      let isReplaced = dlsym(nil, "_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly")?
        .assumingMemoryBound(to: Bool.self)
    else { return nil }
    thread = pthread_self()
    original = function.pointee
    let replacement = counting
    count = 0
    function.pointee = replacement
    isReplaced.pointee = true
    body()
    isReplaced.pointee = false
    function.pointee = original
    return count
  }
}
