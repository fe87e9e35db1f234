// swift-tools-version: 6.0
import PackageDescription

// Numeric code needs AVX2 and FMA in every module that inlines a kernel: without the flag a fused
// multiply-add becomes a library call and costs a factor of a hundred. The program checks at start that
// the processor has them.
#if arch(x86_64)
  let processor: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
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
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-openmpi", providers: [.apt(["libhdf5-openmpi-dev"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CFFTW", pkgConfig: "fftw3", providers: [.apt(["libfftw3-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .target(name: "KitiMPI", dependencies: ["CMPI"]),
    .target(name: "KitiHDF5", dependencies: ["CHDF5", "KitiMPI"]),
    .target(
      name: "KitiCore",
      dependencies: [
        "KitiMPI", "KitiHDF5", "COpenBLAS", "CFFTW", "CXXHash", "Yams",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: processor),
    .executableTarget(
      name: "kiti-dist",
      dependencies: ["KitiCore", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: processor),
    .testTarget(name: "KitiMPITests", dependencies: ["KitiMPI"]),
    .testTarget(name: "KitiHDF5Tests", dependencies: ["KitiHDF5"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "KitiCoreTests", dependencies: ["KitiCore"], resources: [.copy("Fixtures")],
      swiftSettings: processor),
    .testTarget(name: "KitiDistTests", dependencies: ["KitiCore"]),
  ],
  swiftLanguageModes: [.v6]
)
