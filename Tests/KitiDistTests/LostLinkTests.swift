import Foundation
import XCTest

/// Two hosts, which are network namespaces, with a rank each, and the link between them is cut.
final class LostLinkTests: ProgramTestCase {
  private var bridge = ""
  private var hosts: [String] = []

  override func setUpWithError() throws {
    try super.setUpWithError()
    let name = "kiti\(UInt32.random(in: 0...0xffff))"
    bridge = "\(name)s"
    hosts = ["\(name)a", "\(name)b"]
    try XCTSkipUnless(succeeds("ip", "netns", "add", bridge), "network namespaces cannot be made here")
    var commands = ["-n \(bridge) link add br0 type bridge", "-n \(bridge) link set br0 up"]
    for (index, host) in hosts.enumerated() {
      commands += [
        "netns add \(host)", "-n \(bridge) link add p\(index) type veth peer name eth0 netns \(host)",
        "-n \(bridge) link set p\(index) master br0 up", "-n \(host) addr add 10.78.0.\(index + 1)/24 dev eth0",
        "-n \(host) link set eth0 up", "-n \(host) link set lo up",
      ]
    }
    for command in commands {
      try XCTSkipUnless(succeeds("ip", command.split(separator: " ").map(String.init)), "this failed: ip \(command)")
    }
  }

  override func tearDownWithError() throws {
    for name in hosts + [bridge] where !name.isEmpty { _ = try? succeeds("ip", "netns", "del", name) }
    try super.tearDownWithError()
  }

  private func succeeds(_ executable: String, _ arguments: String...) throws -> Bool {
    try succeeds(executable, arguments)
  }

  private func succeeds(_ executable: String, _ arguments: [String]) throws -> Bool {
    try Job(
      executable, arguments, environment: ProcessInfo.processInfo.environment, directory: folder, seconds: 20
    ).wait().status == 0
  }

  /// What mpirun uses in place of ssh: a shell in the other namespace, with a host name and shared memory of its own.
  private func writeAgent() throws -> String {
    let text = """
      #!/bin/sh
      while case "$1" in -*) true;; *) false;; esac; do shift; done
      host=$1; shift
      exec ip netns exec "$host" unshare --uts --mount sh -c \\
        'hostname "$0"; mount -t tmpfs tmpfs /dev/shm; exec sh -c "$1"' "$host" "$*"

      """
    try text.write(toFile: path("agent"), atomically: true, encoding: .utf8)
    XCTAssertEqual(chmod(path("agent"), 0o755), 0)
    return path("agent")
  }

  func testCutLinkIsNoticedOnBothSidesAndTheRunResumes() throws {
    let settings = [
      "plm_rsh_agent \(try writeAgent())", "oob_tcp_if_include eth0", "btl_tcp_if_include eth0", "mpi_yield_when_idle 1",
    ].flatMap { ["--mca"] + $0.split(separator: " ").map(String.init) }
    let set = ["training.epochs=1000000", "training.evaluateEvery=1000000 epochs", "checkpoint={every: 50 steps, keep: 2}"]
    let job = try program.launch(
      "ip",
      ["netns", "exec", hosts[0], "unshare", "--uts", "sh", "-c", "hostname \(hosts[0]); exec \"$@\"", "_"]
        + ["mpirun", "-np", "2", "--host", hosts.joined(separator: ",")] + settings
        + [Program.path] + train("run", set: set + ["parallel.watchdogSeconds=1"]))
    defer { job.end() }
    guard job.waits(until: { checkpointNames("run").count >= 1 }) else {
      return XCTFail("the run did not begin: \(job.errors)")
    }
    XCTAssertTrue(try succeeds("ip", "-n", bridge, "link", "set", "p1", "down"))
    // Both ranks end by themselves. The launcher may wait for ever for a host that it cannot reach.
    XCTAssertTrue(
      job.waits { job.process(ofRank: 0) == nil && job.process(ofRank: 1) == nil }, "a rank still runs: \(job.errors)")
    job.end()
    for fragment in ["watchdog on rank 0: rank 1 has not reached", "rank 1 on \(hosts[1]): not heard of for"] {
      XCTAssertTrue(job.errors.contains(fragment), "'\(fragment)': \(job.errors)")
    }
    try assertAllCheckpointsAreIntact("run")
    let step = try program.inspect(path("run")).state.step
    try program.succeed(train(resume: "run", maxSteps: step + 3, set: set), ranks: 2)
  }
}
