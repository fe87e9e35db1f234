import KitiMPI

/// Sums over ranks in double precision, of what layers have added up sample by sample in double precision.
///
/// Gradients in fp32 are rounded once, at the end: but for the last digits of double precision, which that rounding
/// hides from all but one number in some hundred million, they depend neither on how samples are spread over ranks nor
/// on the order in which ranks are added. Twice the bytes of fp32. Also without other ranks, so that one rank computes
/// the same.
final class SampleSumExchange: BucketExchange {
  /// As long as the array: where sums over this rank's samples are added up. What an array itself holds counts as well.
  let sums: AlignedBuffer<Double>

  private let layout: BucketLayout
  private let communicator: Communicator
  private let requests: RequestSet
  private var numbers: UnsafeMutablePointer<Float>?
  private var started = 0
  /// Buckets whose sums are back in the array.
  private var rounded = 0

  init(layout: BucketLayout, communicator: Communicator) {
    self.layout = layout
    self.communicator = communicator
    requests = RequestSet(capacity: layout.bucketCount)
    sums = AlignedBuffer(count: layout.count)
  }

  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>) {
    precondition(work == .sum, "whole buckets are summed")
    self.numbers = numbers
    (started, rounded) = (0, 0)
  }

  func release(_ count: Int) throws(MPIError) {
    guard let numbers else { return }
    while started < count {
      let range = layout.bucket(started)
      let sums = sums.pointer
      for index in range { sums[index] += Double(numbers[index]) }
      started += 1
      if layout.ranks == 1 { continue }
      try requests.startAllreduce(
        inPlace: UnsafeMutableBufferPointer(start: sums + range.lowerBound, count: range.count), .sum,
        on: communicator)
    }
  }

  var arrived: Int { started - requests.pending }

  func advance() throws(MPIError) -> Bool {
    guard try requests.poll() else { return false }
    round()
    return true
  }

  func complete() throws(MPIError) {
    try requests.waitAll()
    round()
  }

  /// Puts the sums of all buckets that have left into the array; none is under way.
  private func round() {
    guard let numbers else { return }
    let sums = sums.pointer
    while rounded < started {
      for index in layout.bucket(rounded) {
        numbers[index] = Float(sums[index])
        sums[index] = 0
      }
      rounded += 1
    }
  }

  /// As of `AllreduceExchange`, in double precision.
  func bytesSent(_ work: BucketWork) -> Int {
    2 * (layout.count - layout.count / layout.ranks) * MemoryLayout<Double>.stride
  }
}
