/** The address of a byte in the module's memory. Other numbers of type usize are counts, sizes and strides. */
export type Address = usize;
