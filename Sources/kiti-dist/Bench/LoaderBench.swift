import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct LoaderBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loader",
    abstract: "Reading augmented images ahead.",
    discussion: """
      Images are moved by up to 4 pixels, mirrored, and covered with a square of 8. Nothing else is done meanwhile: \
      what is measured is what one loader's thread can give.
      """)

  @Option(help: ArgumentHelp("Images of a step on each rank.", valueName: "b"))
  var batch = 128

  @Option(help: ArgumentHelp("Steps to measure, after a warm-up.", valueName: "n"))
  var steps = 400

  @Option(
    help: ArgumentHelp(
      "A data set of images to read; 10,000 random ones of 32 x 32 x 3 unless told.", valueName: "file"))
  var data: String?

  @Flag(help: "One JSON line instead of text.")
  var json = false

  func validate() throws {
    if batch < 1 || steps < 1 { throw ValidationError("--batch and --steps: give at least 1.") }
  }

  func run() throws {
    let world = try Launch.world()
    let dataSet = try world.agreeing { try open() }
    let loader = try world.agreeing { try start(dataSet, world) }
    defer { loader.stop() }
    for _ in 0..<warmUp { _ = try loader.next() }
    try world.barrier()
    let started = MPI.wallTime
    var images = 0
    for _ in 0..<steps { images += try loader.next().count }
    let seconds = try world.allreduce(MPI.wallTime - started, .maximum)
    let all = try world.allreduce(images, .sum)
    guard world.rank == 0 else { return }
    var line = MetricsLine(kind: "bench")
    line.set("bench", "loader")
    line.set("batch", batch)
    line.set("steps", steps)
    line.set("samplesPerSecond", Double(all) / seconds)
    line.set("samplesPerSecondPerRank", Double(all) / seconds / Double(world.size))
    line.set("msPerStep", seconds / Double(steps) * 1e3)
    line.set("ranks", world.size)
    line.set("threads", 1)
    line.set("peakMiB", peakMemory())
    print(json ? line.json : line.table)
  }

  private var warmUp: Int { 8 }

  private func open() throws -> ImageDataSet {
    let augmentation = ImageAugmentation(crop: 4, padding: .reflect, flip: .random, cutout: 8)
    if let data { return try ImageDataSet(path: data, augmentation: augmentation) }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kiti-loader-\(UUID().uuidString).h5").path
    // The images are in memory once the file has been opened.
    defer { try? FileManager.default.removeItem(atPath: path) }
    try ImageDataSet.writeRandom(
      to: path, trainCount: 10_000, testCount: 1, shape: .init(height: 32, width: 32, channels: 3))
    return try ImageDataSet(path: path, augmentation: augmentation)
  }

  private func start(_ dataSet: ImageDataSet, _ world: Communicator) throws -> BatchLoader {
    let samples = dataSet.sampleCount(.train)
    let plan = SamplingPlan(
      sampleCount: samples, globalBatch: min(batch * world.size, samples), accumulation: 1, rank: world.rank,
      worldSize: world.size, seed: 1)
    return try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan, capacity: plan.largestLocalCount, startEpoch: 0, startStep: 0,
      endEpoch: (warmUp + steps) / plan.stepsPerEpoch + 1)
  }
}
