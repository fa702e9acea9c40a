package tensor

import "unsafe"

// Align gives data itself where its address suits elements of typ, as View wants
// it, else a copy at one that does.
func Align(data []byte, typ Type) []byte {
	size := uintptr(max(typ.Size(), 1))
	if len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%size == 0 {
		return data
	}
	aligned := Aligned(len(data))
	copy(aligned, data)
	return aligned
}
