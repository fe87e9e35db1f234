#ifndef KITI_CMPI_SHIM_H
#define KITI_CMPI_SHIM_H

#include <mpi.h>

// MPI's predefined handles are macros with pointer casts, which Swift does not import; each gets a getter.

static inline MPI_Comm kiti_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm kiti_comm_self(void) { return MPI_COMM_SELF; }
static inline MPI_Comm kiti_comm_null(void) { return MPI_COMM_NULL; }

static inline MPI_Datatype kiti_type_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype kiti_type_double(void) { return MPI_DOUBLE; }
static inline MPI_Datatype kiti_type_int8(void) { return MPI_INT8_T; }
static inline MPI_Datatype kiti_type_int16(void) { return MPI_INT16_T; }
static inline MPI_Datatype kiti_type_int32(void) { return MPI_INT32_T; }
static inline MPI_Datatype kiti_type_int64(void) { return MPI_INT64_T; }
static inline MPI_Datatype kiti_type_uint8(void) { return MPI_UINT8_T; }
static inline MPI_Datatype kiti_type_uint16(void) { return MPI_UINT16_T; }
static inline MPI_Datatype kiti_type_uint32(void) { return MPI_UINT32_T; }
static inline MPI_Datatype kiti_type_uint64(void) { return MPI_UINT64_T; }
static inline MPI_Datatype kiti_type_byte(void) { return MPI_BYTE; }

static inline MPI_Op kiti_op_sum(void) { return MPI_SUM; }
static inline MPI_Op kiti_op_product(void) { return MPI_PROD; }
static inline MPI_Op kiti_op_minimum(void) { return MPI_MIN; }
static inline MPI_Op kiti_op_maximum(void) { return MPI_MAX; }
static inline MPI_Op kiti_op_logical_and(void) { return MPI_LAND; }

static inline void *kiti_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Info kiti_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Request kiti_request_null(void) { return MPI_REQUEST_NULL; }
static inline MPI_Errhandler kiti_errors_return(void) { return MPI_ERRORS_RETURN; }

#endif
