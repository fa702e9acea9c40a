package tensor_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestRowsPutTogetherAreTheWhole(t *testing.T) {
	numbers := &tensor.Tensor{Name: "x", Type: tensor.Uint16, Shape: []int64{3, 2}, Data: []byte{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0}}
	words := &tensor.Tensor{Name: "w", Type: tensor.String, Shape: []int64{3}, Strings: [][]byte{[]byte("a"), nil, []byte("ccc")}}
	for _, whole := range []*tensor.Tensor{numbers, words} {
		rows := []*tensor.Tensor{whole.Row(0, 3), whole.Row(1, 3), whole.Row(2, 3)}
		if rows[1].Shape[0] != 1 {
			t.Errorf("%s: a row has the shape %v, want a first axis of 1", whole.Name, rows[1].Shape)
		}
		back, err := tensor.Concat(rows)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.Shape, whole.Shape) || !bytes.Equal(back.Data, whole.Data) || !slices.EqualFunc(back.Strings, whole.Strings, bytes.Equal) {
			t.Errorf("%s: got %+v, want %+v", whole.Name, back, whole)
		}
	}
}

func TestConcatRefusesWhatDiffers(t *testing.T) {
	a := &tensor.Tensor{Name: "x", Type: tensor.Uint8, Shape: []int64{1, 2}, Data: []byte{1, 2}}
	b := &tensor.Tensor{Name: "x", Type: tensor.Uint8, Shape: []int64{1, 3}, Data: []byte{1, 2, 3}}
	if got, err := tensor.Concat([]*tensor.Tensor{a, b}); err == nil {
		t.Errorf("rows of 2 and 3 became %+v, want an error", got)
	}
}

func TestSizeIsOfWhatTheyHold(t *testing.T) {
	list := []*tensor.Tensor{{Data: make([]byte, 12)}, {Strings: [][]byte{[]byte("abc"), nil, []byte("d")}}}
	if got := tensor.Size(list); got != 16 {
		t.Errorf("12 bytes and the texts abc, \"\" and d are said to be %d bytes, want 16", got)
	}
}
