import Foundation

/// The middle of the values, or the mean of the two in the middle.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A range that holds the median of what the values are drawn from, with a confidence of at least 95 %.
///
/// The bounds are order statistics: the number of values below the median is binomial with a chance of one half, here
/// by its normal approximation. With fewer than six values no range is that safe, and it is all of them.
func medianRange(_ values: [Double]) -> ClosedRange<Double> {
  let sorted = values.sorted()
  let count = Double(sorted.count)
  let low = max(0, Int((count / 2 - 0.98 * count.squareRoot()).rounded(.down)) - 1)
  return sorted[low]...sorted[sorted.count - 1 - low]
}

/// Seconds that the processor has worked for this thread.
func threadProcessorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The largest resident memory of this process so far, MiB.
func peakMemory() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return (Double(usage.ru_maxrss) / 1024 * 10).rounded() / 10
}
