/// What this build is.
public enum KitiVersion {
  public static let program = "0.1.0"
}
