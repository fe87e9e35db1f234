import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct DataImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Turn published images into a data set, with all ranks.",
    discussion: """
      Under mpirun each rank reads and writes its part; the file is the same for any number of ranks. It is complete \
      or absent: it gets its name when it is on disk.
      """,
    subcommands: [
      DataImportCIFAR10Command.self, DataImportCIFAR100Command.self, DataImportFashionMNISTCommand.self,
      DataImportMNISTCommand.self, DataImportImagesCommand.self,
    ])
}

/// What every import takes.
struct ImportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The data set file to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("What else is to be known of the images; kept in the data set.", valueName: "text"))
  var note: String?

  @Flag(help: "Replace an existing file, once the new one is complete.")
  var overwrite = false

  /// Imports the images of a source and says what was written.
  func run(_ kind: ImageKind, _ open: () throws -> any ImageSource) throws {
    let world = try Launch.world()
    StopSignals.install()
    let images = try world.agreeing { ImageImport(kind: kind, source: try open(), note: note) }
    try world.onFirstRank { try FileManager.default.makeParent(of: output) }
    let started = MPI.wallTime
    let display = ProgressLine(isShown: world.rank == 0, total: images.work, unit: "images")
    defer { display.clear() }
    let layout = try images.write(to: output, overwrite: overwrite, communicator: world) { read in
      display.show(read)
      if let signal = StopSignals.pending {
        throw KitiError(
          .failed, "Stopped by signal \(signal); \(output) was not written.", remedy: "Run again to make it.")
      }
    }
    guard world.rank == 0 else { return }
    display.clear()
    let seconds = String(format: "%.1f", MPI.wallTime - started)
    let ranks = world.size == 1 ? "1 rank" : "\(world.size) ranks"
    let shape = layout.shape
    print(
      """
      \(output): \(layout.trainCount) training and \(layout.testCount) test images of \
      \(shape.height) x \(shape.width) x \(shape.channels) in \(layout.classes.count) classes, \
      \(Console.bytes(layout.byteCount)), imported in \(seconds) s on \(ranks)
      """)
  }
}

struct DataImportCIFAR10Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cifar10", abstract: "CIFAR-10 in its binary form: a folder, or cifar-10-binary.tar.gz.")

  @Argument(help: "The folder with data_batch_1.bin and so on, the folder that holds it, or the archive.")
  var source: String

  @OptionGroup var options: ImportOptions

  func run() throws { try options.run(.cifar10) { try CIFARSource(path: source, edition: .cifar10) } }
}

struct DataImportCIFAR100Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cifar100",
    abstract: "CIFAR-100 with fine labels in its binary form: a folder, or cifar-100-binary.tar.gz.")

  @Argument(help: "The folder with train.bin and test.bin, the folder that holds it, or the archive.")
  var source: String

  @OptionGroup var options: ImportOptions

  func run() throws { try options.run(.cifar100) { try CIFARSource(path: source, edition: .cifar100) } }
}

struct DataImportFashionMNISTCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fashion-mnist", abstract: "Fashion-MNIST in its IDX form.",
    discussion: "Debian's package dataset-fashion-mnist puts it into /usr/share/datasets/fashion-mnist.")

  @Argument(help: "The folder with train-images-idx3-ubyte and the other three files, plain or gzipped.")
  var source: String

  @OptionGroup var options: ImportOptions

  func run() throws { try options.run(.fashionMNIST) { try IDXSource(path: source, edition: .fashionMNIST) } }
}

struct DataImportMNISTCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "mnist", abstract: "MNIST in its IDX form.")

  @Argument(help: "The folder with train-images-idx3-ubyte and the other three files, plain or gzipped.")
  var source: String

  @OptionGroup var options: ImportOptions

  func run() throws { try options.run(.mnist) { try IDXSource(path: source, edition: .mnist) } }
}

struct DataImportImagesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "images", abstract: "PNG and JPEG files, one folder a class.",
    discussion: """
      The folder holds train/CLASS/FILE and test/CLASS/FILE, or CLASS/FILE with a share set aside for testing. \
      Names that begin with a dot are passed over; anything else that is no image is an error.
      """)

  @Argument(help: "The folder.")
  var source: String

  @OptionGroup var options: ImportOptions

  @Option(
    help: ArgumentHelp(
      "Bring every image to this size: means over areas where it shrinks, linear between pixels where it grows.",
      valueName: "HxW"))
  var size: ImageSize?

  @Option(
    help: ArgumentHelp(
      "Make every image grey (1) or colored (3); else they must be all the one or the other.", valueName: "1|3"))
  var channels: Int?

  @Option(help: ArgumentHelp("Share of each class that is set aside for testing.", valueName: "share"))
  var testFraction: Double?

  @Option(help: "Decides which files are set aside for testing.")
  var seed: UInt64 = 1

  func validate() throws {
    if let channels, ![1, 3].contains(channels) { throw ValidationError("--channels \(channels): give 1 or 3.") }
  }

  func run() throws {
    try options.run(.images) {
      try ImageFolderSource(
        path: source,
        options: .init(
          size: size.map { ($0.height, $0.width) }, channels: channels, testFraction: testFraction, seed: seed))
    }
  }
}

/// `HEIGHTxWIDTH`.
struct ImageSize: ExpressibleByArgument {
  var height: Int
  var width: Int

  init?(argument: String) {
    let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let height = parts[0], let width = parts[1], (1...4096).contains(height),
      (1...4096).contains(width)
    else { return nil }
    (self.height, self.width) = (height, width)
  }
}
