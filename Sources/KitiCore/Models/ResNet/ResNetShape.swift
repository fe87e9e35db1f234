extension ResNet {
  /// How a shortcut passes a change of size.
  public enum Shortcut: String, Sendable, CaseIterable {
    /// A 1×1 convolution and a batch norm (option B of He et al. 2016, §3.3).
    case projection
    /// Every second place, with channels of zeros behind the input's (option A).
    case padding
  }

  /// The sizes of the network.
  public struct Shape: Sendable, Equatable {
    /// Layers with weights: 18, 34 or 50, or 6n + 2 (20, 32, 44, 56, 110) for the three narrow stages of §4.2.
    public var depth: Int
    public var classes: Int
    /// `[height, width, channels]`
    public var inputShape: [Int]
    public var shortcut: Shortcut
    /// Channels of the first stage; each further stage has twice as many.
    public var width: Int
    /// Probability with which a number before the linear layer is dropped in training.
    public var dropout: Double
    /// Whether the last batch norm of every block starts with the scale 0 instead of 1.
    public var startsAsShortcuts: Bool

    /// - Parameter width: nil for the published one, 64 with depth 18, 34 and 50, else 16.
    public init(
      depth: Int, classes: Int, inputShape: [Int] = [32, 32, 3], shortcut: Shortcut = .projection, width: Int? = nil,
      dropout: Double = 0, startsAsShortcuts: Bool = false
    ) {
      self.depth = depth
      self.classes = classes
      self.inputShape = inputShape
      self.shortcut = shortcut
      self.width = width ?? (Self.wideBlocks[depth] == nil ? 16 : 64)
      self.dropout = dropout
      self.startsAsShortcuts = startsAsShortcuts
    }

    private static let wideBlocks = [18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3]]

    /// Blocks of each stage.
    package var blocks: [Int] { Self.wideBlocks[depth] ?? Array(repeating: (depth - 2) / 6, count: 3) }

    /// Whether a block is a bottleneck of 1×1, 3×3 and 1×1 convolutions with four times as many channels behind it.
    package var hasBottlenecks: Bool { depth == 50 }

    /// How many places a particle takes in each stage, unless told otherwise: particles of all stages are equally long.
    public var defaultDivide: [Int] { [16, 8, 4, 2].prefix(blocks.count).map { $0 } }

    /// - Throws: a usage error for sizes that cannot be.
    func check() throws(KitiError) {
      guard Self.wideBlocks[depth] != nil || (depth >= 8 && depth % 6 == 2) else {
        throw KitiError(
          .usage, "model.depth \(depth) is no ResNet's.", remedy: "Choose 18, 34, 50, or 6n + 2 (20, 32, 44, 56, 110).")
      }
      guard inputShape.count == 3, inputShape.allSatisfy({ $0 >= 1 }) else {
        throw KitiError(
          .usage, "model: a ResNet cannot read samples of the shape \(inputShape).",
          remedy: "Give it images [height, width, channels].")
      }
      for (name, size) in [("classes", classes), ("width", width)] where size < 1 {
        throw KitiError(.usage, "model.\(name) \(size): a ResNet cannot have so few.", remedy: "Choose at least 1.")
      }
      guard dropout >= 0, dropout < 1 else {
        throw KitiError(
          .usage, "model.dropout \(dropout) is no probability that leaves anything.",
          remedy: "Choose a number of at least 0 and below 1.")
      }
    }
  }
}
