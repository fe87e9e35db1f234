// HDF5 and MPI define most of their handles as macros, which Swift cannot import: each has a getter here.
#include <hdf5.h>

static inline hid_t chdf5_default(void) { return H5P_DEFAULT; }
static inline hid_t chdf5_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t chdf5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t chdf5_group_create(void) { return H5P_GROUP_CREATE; }
static inline hid_t chdf5_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t chdf5_dataset_transfer(void) { return H5P_DATASET_XFER; }
static inline hid_t chdf5_link_create(void) { return H5P_LINK_CREATE; }
static inline hid_t chdf5_attribute_create(void) { return H5P_ATTRIBUTE_CREATE; }

static inline unsigned chdf5_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned chdf5_exclusive(void) { return H5F_ACC_EXCL; }
static inline unsigned chdf5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_read_write(void) { return H5F_ACC_RDWR; }

static inline hid_t chdf5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t chdf5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t chdf5_native_int8(void) { return H5T_NATIVE_INT8; }
static inline hid_t chdf5_native_int16(void) { return H5T_NATIVE_INT16; }
static inline hid_t chdf5_native_int32(void) { return H5T_NATIVE_INT32; }
static inline hid_t chdf5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t chdf5_native_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t chdf5_native_uint16(void) { return H5T_NATIVE_UINT16; }
static inline hid_t chdf5_native_uint32(void) { return H5T_NATIVE_UINT32; }
static inline hid_t chdf5_native_uint64(void) { return H5T_NATIVE_UINT64; }

static inline hid_t chdf5_float32_little(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_float32_big(void) { return H5T_IEEE_F32BE; }
static inline hid_t chdf5_float64_little(void) { return H5T_IEEE_F64LE; }
static inline hid_t chdf5_float64_big(void) { return H5T_IEEE_F64BE; }
static inline hid_t chdf5_int8_little(void) { return H5T_STD_I8LE; }
static inline hid_t chdf5_int8_big(void) { return H5T_STD_I8BE; }
static inline hid_t chdf5_int16_little(void) { return H5T_STD_I16LE; }
static inline hid_t chdf5_int16_big(void) { return H5T_STD_I16BE; }
static inline hid_t chdf5_int32_little(void) { return H5T_STD_I32LE; }
static inline hid_t chdf5_int32_big(void) { return H5T_STD_I32BE; }
static inline hid_t chdf5_int64_little(void) { return H5T_STD_I64LE; }
static inline hid_t chdf5_int64_big(void) { return H5T_STD_I64BE; }
static inline hid_t chdf5_uint8_little(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_uint8_big(void) { return H5T_STD_U8BE; }
static inline hid_t chdf5_uint16_little(void) { return H5T_STD_U16LE; }
static inline hid_t chdf5_uint16_big(void) { return H5T_STD_U16BE; }
static inline hid_t chdf5_uint32_little(void) { return H5T_STD_U32LE; }
static inline hid_t chdf5_uint32_big(void) { return H5T_STD_U32BE; }
static inline hid_t chdf5_uint64_little(void) { return H5T_STD_U64LE; }
static inline hid_t chdf5_uint64_big(void) { return H5T_STD_U64BE; }
static inline hid_t chdf5_c_string(void) { return H5T_C_S1; }
static inline size_t chdf5_variable_length(void) { return H5T_VARIABLE; }

static inline hid_t chdf5_all(void) { return H5S_ALL; }

static inline hid_t chdf5_error_stack(void) { return H5E_DEFAULT; }
static inline hid_t chdf5_error_not_hdf5(void) { return H5E_NOTHDF5; }
static inline hid_t chdf5_error_truncated(void) { return H5E_TRUNCATED; }
static inline hid_t chdf5_error_cannot_lock(void) { return H5E_CANTLOCKFILE; }

// A plain function in HDF5 1.10, a versioned macro since 1.12.
static inline herr_t chdf5_iterate_links(hid_t group, H5_index_t index, H5_iter_order_t order,
                                         herr_t (*visit)(hid_t, const char *, const H5L_info_t *, void *), void *context) {
  hsize_t position = 0;
  return H5Literate(group, index, order, &position, visit, context);
}

static inline MPI_Comm chdf5_mpi_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm chdf5_mpi_self(void) { return MPI_COMM_SELF; }
static inline MPI_Info chdf5_mpi_no_info(void) { return MPI_INFO_NULL; }
static inline MPI_Datatype chdf5_mpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Op chdf5_mpi_max(void) { return MPI_MAX; }
static inline MPI_Errhandler chdf5_mpi_errors_return(void) { return MPI_ERRORS_RETURN; }
