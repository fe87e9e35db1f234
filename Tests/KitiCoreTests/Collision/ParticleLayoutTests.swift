import KitiCore
import XCTest

/// How samples are cut into particles, and what is said when they cannot be.
final class ParticleLayoutTests: XCTestCase {
  func testEveryFeatureBelongsToOneParticle() throws {
    for particles in try Particles.shapes() {
      let layout = particles.layout
      XCTAssertEqual(layout.count, particles.count)
      XCTAssertEqual(layout.dimensions, particles.dimensions)
      XCTAssertEqual(layout.features, particles.features)
      var seen = Set<Int>()
      for particle in 0..<layout.count {
        for coordinate in 0..<layout.dimensions {
          let (piece, offset) = (coordinate / layout.pieceLength, coordinate % layout.pieceLength)
          let feature = particle * layout.particleStride + piece * layout.pieceStride + offset
          XCTAssertEqual(feature, particles.feature(particle, coordinate), particles.name)
          seen.insert(feature)
        }
      }
      XCTAssertEqual(seen, Set(0..<layout.features))
    }
  }

  func testFieldsThatCannotBeCutNameTheLayerAndTheShape() {
    let impossible = [(12, 3, 5), (12, 3, 12), (12, 3, 0), (12, 3, -2), (1, 4, 1), (7, 2, 7), (0, 3, 1)]
    for (places, channels, divide) in impossible {
      XCTAssertThrowsError(
        try ParticleLayout.divided(places: places, channels: channels, divide: divide, layer: "blocks/3")
      ) { error in
        let text = "\(error)"
        XCTAssertEqual((error as? KitiError)?.kind, .usage)
        for part in ["blocks/3", "collision.divide \(divide)", "[\(places) places, \(channels) channels]"] {
          XCTAssertTrue(text.contains(part), "\"\(text)\" does not say \(part)")
        }
      }
    }
  }

  func testTokensThatCannotBeCutNameTheLayerAndTheFeatures() {
    for (features, width) in [(12, 5), (12, 12), (12, 0), (12, -3), (1, 1), (0, 4)] {
      XCTAssertThrowsError(try ParticleLayout.token(features: features, width: width, layer: "encoder/0")) { error in
        let text = "\(error)"
        XCTAssertEqual((error as? KitiError)?.kind, .usage)
        for part in ["encoder/0", "collision.particleWidth \(width)", "\(features) features"] {
          XCTAssertTrue(text.contains(part), "\"\(text)\" does not say \(part)")
        }
      }
    }
  }

  func testTheRemedyOfAFieldWorks() throws {
    XCTAssertEqual(try ParticleLayout.divided(places: 12, channels: 3, divide: 6, layer: "x").count, 2)
    XCTAssertEqual(try ParticleLayout.token(features: 12, width: 6, layer: "x").count, 2)
  }
}
