/// How the features of one sample are read as particles.
///
/// A particle is `pieces` runs of `pieceLength` contiguous features, `pieceStride` apart; particle j starts at
/// feature j · `particleStride`.
public struct ParticleLayout: Sendable, Equatable {
  public let count: Int
  public let pieces: Int
  public let pieceLength: Int
  public let pieceStride: Int
  public let particleStride: Int

  /// Coordinates of one particle, d.
  public var dimensions: Int { pieces * pieceLength }

  /// Features of one sample.
  public var features: Int { count * dimensions }

  /// Fields and images: a sample `[places, channels]` becomes n = places / divide particles of divide · channels
  /// coordinates; particle j owns places j, n + j, 2n + j, …
  ///
  /// - Throws: a usage error that names `layer` if `divide` does not divide the places or fewer than two particles remain.
  public static func divided(places: Int, channels: Int, divide: Int, layer: String) throws(KitiError) -> ParticleLayout {
    guard divide >= 1, places % divide == 0, places / divide >= 2 else {
      throw KitiError(
        .usage,
        "\(layer): collision.divide \(divide) does not cut its shape [\(places) places, \(channels) channels] into two or more equal particles.",
        remedy: "Choose a divisor of \(places) that is at most \(places / 2).")
    }
    let count = places / divide
    return ParticleLayout(
      count: count, pieces: divide, pieceLength: channels, pieceStride: count * channels, particleStride: channels)
  }

  /// Tokens: the C features of one token become C / width particles of `width` consecutive features.
  ///
  /// - Throws: a usage error that names `layer` if `width` does not divide the features or fewer than two particles remain.
  public static func token(features: Int, width: Int, layer: String) throws(KitiError) -> ParticleLayout {
    guard width >= 1, features % width == 0, features / width >= 2 else {
      throw KitiError(
        .usage,
        "\(layer): collision.particleWidth \(width) does not cut its \(features) features into two or more equal particles.",
        remedy: "Choose a divisor of \(features) that is at most \(features / 2).")
    }
    return ParticleLayout(
      count: features / width, pieces: 1, pieceLength: width, pieceStride: 0, particleStride: width)
  }
}
