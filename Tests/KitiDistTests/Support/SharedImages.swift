import Foundation

/// A small data set of images in CIFAR-10's form, made and imported once: 30 training and 9 test images of 32 × 32, whose class
/// is their brightness under some noise.
enum SharedImages {
  static let path = Result { () throws -> String in
    let folder = try TemporaryFolder.makeForAllTests()
    let source = folder.appendingPathComponent("cifar-10-batches-bin")
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: false)
    var noise: UInt32 = 1
    func records(_ count: Int, from first: Int) -> Data {
      var bytes: [UInt8] = []
      for index in first..<first + count {
        let label = index * 7 % 10
        bytes.append(UInt8(label))
        for _ in 0..<3_072 {
          noise = noise &* 1_664_525 &+ 1_013_904_223
          bytes.append(UInt8(20 * label + Int(noise >> 26)))
        }
      }
      return Data(bytes)
    }
    for batch in 1...5 {
      try records(6, from: 6 * batch).write(to: source.appendingPathComponent("data_batch_\(batch).bin"))
    }
    try records(9, from: 100).write(to: source.appendingPathComponent("test_batch.bin"))
    let names = (0..<10).map { "brightness \($0)\n" }.joined()
    try names.write(to: source.appendingPathComponent("batches.meta.txt"), atomically: true, encoding: .utf8)
    let file = folder.appendingPathComponent("images.h5").path
    try Program(directory: folder).succeed(["data", "import", "cifar10", source.path, "--output", file])
    return file
  }
}
