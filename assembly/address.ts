/** The address of a byte in the module's memory. Other numbers of type usize are counts and sizes. */
export type Address = usize;
