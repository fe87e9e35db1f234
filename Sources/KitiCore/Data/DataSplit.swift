/// Training or test part of a data set. The raw value is the group's name in the file.
public enum DataSplit: String, Sendable, CaseIterable {
  case train, test
}
