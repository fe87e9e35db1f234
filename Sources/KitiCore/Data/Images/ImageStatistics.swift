import KitiMPI

/// Mean and standard deviation of each channel, from exact sums: the same for any number of ranks.
struct ImageStatistics {
  private var pixels: Int64 = 0
  private var sums: [Int64]
  private var squares: [Int64]

  init(channels: Int) {
    sums = Array(repeating: 0, count: channels)
    squares = sums
  }

  /// Takes in whole images, channels last.
  mutating func add(_ images: UnsafeBufferPointer<UInt8>) {
    let channels = sums.count
    for channel in 0..<channels {
      var sum: Int64 = 0
      var square: Int64 = 0
      var index = channel
      while index < images.count {
        let value = Int64(images[index])
        sum &+= value
        square &+= value &* value
        index &+= channels
      }
      sums[channel] += sum
      squares[channel] += square
    }
    pixels += Int64(images.count / channels)
  }

  /// Takes in what all ranks have. Collective.
  mutating func combine(_ communicator: Communicator) throws {
    let all = try communicator.allreduce([pixels] + sums + squares, .sum)
    pixels = all[0]
    sums = Array(all[1...sums.count])
    squares = Array(all[(1 + sums.count)...])
  }

  /// Of pixels from 0 to 1.
  var mean: [Double] { sums.map { Double($0) / (255 * Double(pixels)) } }

  /// Of pixels from 0 to 1.
  var standardDeviation: [Double] {
    zip(sums, squares).map { sum, square in
      let mean = Double(sum) / Double(pixels)
      return max(0, Double(square) / Double(pixels) - mean * mean).squareRoot() / 255
    }
  }
}
