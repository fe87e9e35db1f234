// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Kernels are compiled for the processor they run on. Without such a flag a fused multiply-add becomes a library call
// and costs a factor of a hundred; 512-bit vectors double what matrix products reach. KITI_PROCESSOR chooses the level
// (x86-64-v3: AVX2 and FMA, x86-64-v4: AVX-512 as well), else the machine that builds does. The program checks at
// start that the processor has what it was compiled for.
#if arch(x86_64)
  let level: String = {
    if let chosen = Context.environment["KITI_PROCESSOR"] { return chosen }
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
    let flags = Set(line.split(separator: " "))
    return flags.isSuperset(of: ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]) ? "x86-64-v4" : "x86-64-v3"
  }()
  let processor: [SwiftSetting] =
    [.unsafeFlags(["-Xcc", "-march=\(level)"])] + (level == "x86-64-v4" ? [.define("KITI_AVX512")] : [])
#else
  let processor: [SwiftSetting] = []
#endif

let package = Package(
  name: "kiti-dist",
  products: [
    .executable(name: "kiti-dist", targets: ["kiti-dist"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-openmpi", providers: [.apt(["libhdf5-openmpi-dev"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CFFTW", pkgConfig: "fftw3", providers: [.apt(["libfftw3-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .target(name: "KitiMPI", dependencies: ["CMPI"]),
    .target(name: "KitiHDF5", dependencies: ["CHDF5", "KitiMPI"]),
    .target(
      name: "KitiCore",
      dependencies: [
        "KitiMPI", "KitiHDF5", "CFFTW", "CXXHash", "CArchive", "CPNG", "CTurboJPEG", "Yams",
      ],
      swiftSettings: processor),
    .executableTarget(
      name: "kiti-dist",
      dependencies: ["KitiCore", "KitiMPI", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    .target(name: "KitiTestSupport", dependencies: ["KitiMPI"], path: "Tests/KitiTestSupport"),
    .testTarget(name: "KitiMPITests", dependencies: ["KitiMPI", "KitiTestSupport"]),
    .testTarget(
      name: "KitiHDF5Tests", dependencies: ["CHDF5", "KitiHDF5", "KitiMPI", "KitiTestSupport"],
      exclude: ["make-fixtures.py"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "KitiCoreTests", dependencies: ["KitiCore", "KitiTestSupport", "COpenBLAS"], resources: [.copy("Fixtures")],
      swiftSettings: processor),
    .testTarget(name: "KitiDistTests", dependencies: ["KitiCore", "KitiHDF5"]),
  ],
  swiftLanguageModes: [.v6]
)
