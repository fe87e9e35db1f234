import Foundation
import KitiCore

/// Refuses to start on a processor that lacks what the kernels were compiled for, instead of dying of an illegal
/// instruction. This module itself is compiled for any processor.
enum ProcessorCheck {
  static func requireInstructionSet() {
    #if arch(x86_64)
      guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return }
      let missing = missingFlags(in: text, needed: InstructionSet.flags)
      guard !missing.isEmpty else { return }
      Console.error(
        "This build of kiti-dist needs a processor with \(InstructionSet.name); this one lacks \(missing.joined(separator: ", ")). "
          + "Build it on this machine, or with KITI_PROCESSOR=x86-64-v3 for any processor with AVX2 and FMA.")
      exit(KitiError.Kind.failed.exitStatus)
    #endif
  }

  static func missingFlags(in cpuinfo: String, needed: [String]) -> [String] {
    let line = cpuinfo.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
    let present = Set(line.split(separator: " ").map(String.init))
    return needed.filter { !present.contains($0) }
  }
}
