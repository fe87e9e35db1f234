// The standard library adds the lanes of a vector one after the other, each addition waiting for the last; halves are
// added in as many steps as the number of lanes has doublings.

/// The sum of all lanes.
@inline(__always)
func laneSum(_ lanes: SIMD16<Float>) -> Float { laneSum(lanes.lowHalf + lanes.highHalf) }

/// The sum of all lanes.
@inline(__always)
func laneSum(_ lanes: SIMD8<Float>) -> Float {
  let quarters = lanes.lowHalf + lanes.highHalf
  let pair = quarters.lowHalf + quarters.highHalf
  return pair.x + pair.y
}
