import XCTest
import KitiMPI
