/// The kernels of a model's convolutions.
///
/// Layers are computed one after another, so those of one shape share a kernel: its workspaces stay in the cache from one
/// layer to the next.
public final class ConvolutionKernels {
  private let capacity: Int
  private var kernels: [ConvolutionShape: any ConvolutionKernel] = [:]

  /// - Parameter capacity: the most samples of a call.
  public init(capacity: Int) { self.capacity = capacity }

  var workspaceBytes: Int { kernels.values.reduce(0) { $0 + $1.workspaceBytes } }

  /// The one for a shape, made when it is asked for first.
  func kernel(_ shape: ConvolutionShape) -> any ConvolutionKernel {
    if let kernel = kernels[shape] { return kernel }
    let kernel = Self.type(shape).init(shape, capacity: capacity)
    kernels[shape] = kernel
    return kernel
  }

  /// With few inputs a tile's transforms cost more than the multiplications they save.
  private static func type(_ shape: ConvolutionShape) -> any ConvolutionKernel.Type {
    shape.inputs >= 8 && WinogradConvolution.fits(shape) ? WinogradConvolution.self : DirectConvolution.self
  }
}
