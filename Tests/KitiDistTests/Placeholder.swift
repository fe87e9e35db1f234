import XCTest
import KitiCore
