/// The least multiple that is not below a count.
func roundedUp(_ count: Int, _ multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
