package model

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// npy is an array as NumPy writes it.
func npy(major byte, header string, data []byte) []byte {
	var b bytes.Buffer
	b.WriteString("\x93NUMPY")
	b.Write([]byte{major, 0})
	if major == 1 {
		_ = binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	} else {
		_ = binary.Write(&b, binary.LittleEndian, uint32(len(header)))
	}
	b.WriteString(header)
	b.Write(data)
	return b.Bytes()
}

func dict(descr, order, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
}

// npz packs arrays, each name with its content, deflated or stored.
func npz(method uint16, entries ...any) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: entries[i].(string) + ".npy", Method: method})
		if err != nil {
			panic(err)
		}
		if _, err := f.Write(entries[i+1].([]byte)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestReadNPZ(t *testing.T) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		for _, major := range []byte{1, 2, 3} {
			data := npz(method,
				"a", npy(major, dict("<f4", "False", "(2, 1)"), []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}),
				"scalar", npy(major, dict("<i8", "False", "()"), []byte{7, 0, 0, 0, 0, 0, 0, 0}),
				"empty", npy(major, dict("|u1", "False", "(0, 5)"), nil),
				"meta", npy(major, dict("<U3", "False", "()"), []byte{'h', 0, 0, 0, 0xe9, 0, 0, 0, 0, 0, 0, 0}))
			got, err := ReadNPZ(data, 1000)
			if err != nil {
				t.Fatalf("format %d: %v", major, err)
			}
			if v := tensor.View[float32](got["a"].Data); v[0] != 1 || v[1] != -2 || got["a"].Name != "a" || fmt.Sprint(got["a"].Shape) != "[2 1]" {
				t.Errorf("a = %v %v, want [1 -2] of shape [2 1]", got["a"].Shape, v)
			}
			if v := tensor.View[int64](got["scalar"].Data); v[0] != 7 || len(got["scalar"].Shape) != 0 {
				t.Errorf("scalar = %v, want 7 without axes", v)
			}
			if len(got["empty"].Data) != 0 {
				t.Errorf("empty has %d bytes", len(got["empty"].Data))
			}
			if s := string(got["meta"].Strings[0]); s != "hé" {
				t.Errorf("meta = %q, want hé", s)
			}
		}
	}
}

func TestReadNPZRefuses(t *testing.T) {
	four := make([]byte, 4)
	array := func(header string) []byte { return npz(zip.Store, "x", npy(1, header, four)) }
	good := array(dict("<f4", "False", "(1,)"))
	damaged := bytes.Replace(good, []byte("(1,)"), []byte("(1 )"), 1)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"no zip":          {[]byte("PK nothing"), "no .npz"},
		"empty":           {nil, "no .npz"},
		"cut off":         {good[:len(good)-9], "no .npz"},
		"no array":        {npz(zip.Store, "x", []byte("hello, world, hello")), "no NumPy array"},
		"cut header":      {npz(zip.Store, "x", npy(1, dict("<f4", "False", "(1,)"), nil)[:30]), "cut off"},
		"version":         {npz(zip.Store, "x", npy(9, "{}", nil)), "version 9"},
		"columns":         {array(dict("<f4", "True", "(1, 1)")), "ascontiguousarray"},
		"big-endian":      {array(dict(">f4", "False", "(1,)")), `type is ">f4"`},
		"objects":         {array(dict("|O", "False", "(1,)")), "type is"},
		"complex":         {array(dict("<c8", "False", "(1,)")), "type is"},
		"structure":       {array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "plain arrays"},
		"shape too big":   {array(dict("<f4", "False", "(99999999999, 99999999999)")), "too large"},
		"more than there": {array(dict("<f4", "False", "(2,)")), "needs 8 bytes, but 4 are there"},
		"less than there": {array(dict("|u1", "False", "(2,)")), "needs 2 bytes, but 4 are there"},
		"beyond limit":    {array(dict("<f4", "False", "(999,)")), "left"},
		"digits":          {array(dict("<f4", "False", "(99999999999999999999,)")), "shape is not understood"},
		"many axes":       {array(dict("<f4", "False", "("+strings.Repeat("1,", 17)+")")), "shape is not understood"},
		"twice":           {npz(zip.Store, "x", npy(1, dict("<f4", "False", "(1,)"), four), "x", npy(1, dict("<f4", "False", "(1,)"), four)), "twice"},
		"long header":     {npz(zip.Store, "x", npy(2, dict("<f4", "False", "(1,)")+strings.Repeat(" ", 4030), four)), "header has"},
		"two texts":       {npz(zip.Store, "x", npy(1, dict("<U1", "False", "(2,)"), make([]byte, 8))), "single"},
		"wrong checksum":  {damaged, "damaged"},
	} {
		got, err := ReadNPZ(c.data, 100)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want %q", name, got, err, c.want)
		}
	}
}

// A bomb says how large it is; one that lies is not unpacked further than it said.
func TestReadNPZRefusesBombsBeforeUnpacking(t *testing.T) {
	honest := npz(zip.Deflate, "x", npy(1, dict("|u1", "False", "(3000000,)"), make([]byte, 3_000_000)))
	if _, err := ReadNPZ(honest, 1<<20); err == nil || !strings.Contains(err.Error(), "it would take") {
		t.Errorf("got %v, want the declared size refused", err)
	}
	if n := testing.AllocsPerRun(1, func() { _, _ = ReadNPZ(honest, 1<<20) }); n > 200 {
		t.Errorf("%v allocations to refuse a bomb", n)
	}

	content := npy(1, dict("|u1", "False", "(10,)"), make([]byte, 10))
	liar := npz(zip.Store, "x", content)
	// The directory claims fewer bytes than the entry has.
	at := bytes.LastIndex(liar, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(liar[at+24:], uint32(len(content)-5))
	if _, err := ReadNPZ(liar, 1<<20); err == nil {
		t.Error("an entry that is longer than it says was read")
	}
	many := make([]any, 0, 2*(npzEntries+1))
	for i := range npzEntries + 1 {
		many = append(many, strconv.Itoa(i), []byte{})
	}
	if _, err := ReadNPZ(npz(zip.Store, many...), 1<<20); err == nil || !strings.Contains(err.Error(), "1025 arrays") {
		t.Errorf("got %v, want too many arrays refused", err)
	}
}

func FuzzReadNPZ(f *testing.F) {
	f.Add(npz(zip.Deflate, "a", npy(1, dict("<f4", "False", "(1,)"), make([]byte, 4)), "meta", npy(3, dict("<U1", "False", "()"), []byte{'x', 0, 0, 0})))
	f.Add(npz(zip.Store, "a", npy(2, dict("<i8", "False", "(0, 3)"), nil)))
	f.Add(npz(zip.Store, "a", npy(1, dict("<f2", "True", "(3,)"), make([]byte, 6))))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		arrays, err := ReadNPZ(data, limit)
		if err != nil {
			if len(err.Error()) > 400 || !utf8.ValidString(err.Error()) {
				t.Fatalf("not a bearable sentence: %q", err)
			}
			return
		}
		total := 0
		for name, a := range arrays {
			n, err := tensor.Elements(a.Shape)
			if err != nil || a.Type != tensor.String && n*int64(a.Type.Size()) != int64(len(a.Data)) {
				t.Fatalf("%q: shape %v of %s has %d bytes", name, a.Shape, a.Type, len(a.Data))
			}
			total += len(a.Data)
		}
		if total > limit {
			t.Fatalf("%d bytes came out, the limit is %d", total, limit)
		}
	})
}

// FuzzParseHeader reaches the header without a checksum in the way.
func FuzzParseHeader(f *testing.F) {
	f.Add(dict("<f4", "False", "(1, 2)"))
	f.Add(dict("<U99999", "False", "()"))
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHeader(s)
		if err == nil && (h.size < 1 || len(h.shape) > 16 || h.typ == tensor.Invalid) {
			t.Fatalf("%q gave %+v", s, h)
		}
		_, _ = readNPY(bytes.NewReader(npy(1, s, nil)), int64(len(s))+10, 1<<16)
	})
}
