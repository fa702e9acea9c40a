//go:build cgo

package turbo

// #cgo CFLAGS: -O3
// #cgo noescape goshawk_resample
// #cgo nocallback goshawk_resample
// #include "resample.h"
import "C"

import "unsafe"

// Native says whether Run is there: it is C.
const Native = true

// Run fills the tensor. All memory stays Go's: C keeps no pointer after it returns.
func (r *Resample) Run() error { return r.run(false) }

// run can be kept to the instructions that every processor has, for tests.
func (r *Resample) run(portable bool) error {
	if err := r.Check(); err != nil {
		return err
	}
	shape := C.struct_resample_shape{
		pix_len: C.int64_t(len(r.Pix)), origin: C.int64_t(r.Origin), step_x: C.int64_t(r.StepX), step_y: C.int64_t(r.StepY),
		channels: C.int32_t(r.Channels), width: C.int32_t(len(r.X.Start)), height: C.int32_t(len(r.Y.Start)),
		taps_x: C.int32_t(r.X.Taps), taps_y: C.int32_t(r.Y.Taps), slots: C.int32_t(r.Y.Slots), stride: C.int32_t(r.stride()),
		planes: C.int32_t(r.Planes), elem: C.int32_t(r.Elem),
		plane_step: C.int64_t(r.PlaneStep), row_step: C.int64_t(r.RowStep), col_step: C.int64_t(r.ColStep),
	}
	if r.Gray {
		shape.gray = 1
	}
	if portable {
		shape.portable = 1
	}
	for i := range 3 {
		shape.background[i] = C.int32_t(r.Background[i])
		shape.source[i] = C.int32_t(r.Source[i])
	}
	C.goshawk_resample(&shape, (*C.uint8_t)(unsafe.SliceData(r.Pix)),
		(*C.int32_t)(unsafe.SliceData(r.X.Start)), (*C.int32_t)(unsafe.SliceData(r.X.Coef)),
		(*C.int32_t)(unsafe.SliceData(r.Y.Start)), (*C.int32_t)(unsafe.SliceData(r.Y.Coef)),
		(*C.uint8_t)(unsafe.SliceData(r.Table)), unsafe.Pointer(unsafe.SliceData(r.Dst)),
		(*C.int32_t)(unsafe.SliceData(r.Acc)), (*C.uint8_t)(unsafe.SliceData(r.Row)))
	return nil
}
