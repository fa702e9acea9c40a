package tensor

import (
	"encoding/binary"
	"fmt"
)

// ParseElements reads the n elements of a String tensor in the form of the Open
// Inference Protocol's raw contents: each element's length in four bytes,
// little-endian, and then the element, without gaps. The elements are parts of
// data, not copies.
func ParseElements(data []byte, n int64) ([][]byte, error) {
	const prefix = 4
	if n > int64(len(data))/prefix { // before anything is allocated for them
		return nil, fmt.Errorf("%d elements need at least %d bytes, and there are %d", n, n*prefix, len(data))
	}
	elements := make([][]byte, 0, n)
	for len(elements) < int(n) {
		if len(data) < prefix {
			return nil, fmt.Errorf("element %d of %d has no length: the data end before it", len(elements), n)
		}
		size := binary.LittleEndian.Uint32(data)
		data = data[prefix:]
		if int64(size) > int64(len(data)) {
			return nil, fmt.Errorf("element %d of %d says that it has %d bytes, and %d are left", len(elements), n, size, len(data))
		}
		elements = append(elements, data[:size:size])
		data = data[size:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes are left after the last of %d elements", len(data), n)
	}
	return elements, nil
}

// AppendElements writes elements in the form that ParseElements reads.
func AppendElements(dst []byte, elements [][]byte) []byte {
	for _, e := range elements {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e)))
		dst = append(dst, e...)
	}
	return dst
}
