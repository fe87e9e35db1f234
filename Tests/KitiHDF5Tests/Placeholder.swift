import XCTest
import KitiHDF5
