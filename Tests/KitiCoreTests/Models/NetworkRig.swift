import KitiCore
import KitiTestSupport
import XCTest

/// A network with its store, a loss and a batch, and what every network owes the trainer.
protocol NetworkRig: AnyObject {
  var store: ParameterStore { get }

  /// Forward, loss (the mean of `samples`) and backward; returns the sum of the losses divided by `samples`.
  @discardableResult
  func step(batch: Int, pass: Pass, first: Int, samples: Int?, observer: (any GradientObserver)?) -> Double
}

extension NetworkRig {
  @discardableResult
  func step(
    batch: Int, pass: Pass, first: Int = 0, samples: Int? = nil, observer: (any GradientObserver)? = nil
  ) -> Double {
    step(batch: batch, pass: pass, first: first, samples: samples, observer: observer)
  }

  func values(_ parameter: Parameter) -> [Float] { (0..<parameter.count).map { parameter.values[$0] } }
  func gradients(_ parameter: Parameter) -> [Float] { (0..<parameter.count).map { parameter.gradients[$0] } }
  var allGradients: [Float] { Array(store.gradients.buffer) }

  func clearGradients() { store.gradients.buffer.update(repeating: 0) }

  /// Checks that gradients which a pass back announces change no more, and that in the end all have been announced.
  ///
  /// - Returns: how many announcements a pass makes.
  func assertAnnouncedGradientsAreFinal(batch: Int, pass: Pass) -> Int {
    let recorder = AnnouncementRecorder(store)
    // The second pass adds to the gradients of the first, as an accumulating trainer does.
    for _ in 0..<2 {
      recorder.announced = []
      step(batch: batch, pass: pass, observer: recorder)
      let final = allGradients
      var last = 0
      for (count, prefix) in recorder.announced {
        XCTAssertGreaterThan(count, last)
        XCTAssertEqual(prefix, Array(final[..<count]), "the first \(count) gradients changed later")
        last = count
      }
      XCTAssertEqual(last, store.count)
    }
    return recorder.announced.count
  }

  func assertGradientsAccumulate(batch: Int, pass: Pass) {
    step(batch: batch, pass: pass)
    let once = allGradients
    step(batch: batch, pass: pass)
    assertClose(allGradients, once.map { 2 * Double($0) }, within: 1e-6)
  }
}

private final class AnnouncementRecorder: GradientObserver {
  private let store: ParameterStore
  var announced: [(count: Int, prefix: [Float])] = []

  init(_ store: ParameterStore) { self.store = store }

  func gradientsFinished(_ count: Int) {
    announced.append((count, Array(store.gradients.buffer[..<count])))
  }
}
