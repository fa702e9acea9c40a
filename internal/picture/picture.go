package picture

import "github.com/goshawk-ai/goshawk/internal/tensor"

// Format is what a picture is by its content.
type Format string

// The formats that are read.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
	GIF  Format = "gif"
	BMP  Format = "bmp"
	TIFF Format = "tiff"
)

// Limits bound what one picture may cost. They are inclusive.
type Limits struct {
	Bytes   int64 // of the encoded picture
	Pixels  int64 // width times height, before shrinking
	Decoded int64 // bytes that decoding allocates: pixels, coefficients, 16-bit samples
	Frames  int   // of a GIF or WebP; only the first is decoded
	Scans   int   // of a progressive JPEG
}

// DefaultLimits are 20 MB, 50 megapixels and 192 MB decoded.
var DefaultLimits = Limits{Bytes: 20e6, Pixels: 50e6, Decoded: 192e6, Frames: 10_000, Scans: 100}

// Info is what the header says.
type Info struct {
	Format      Format
	Width       int // as displayed, after EXIF orientation
	Height      int
	Orientation int // EXIF, 1..8; 1 where there is none

	header header // what the decoder of the format needs to know beforehand
}

// Image is decoded pixels, 8 bits a channel, rows without gaps. It is as
// stored: Orientation is still to be applied by whoever reads it.
type Image struct {
	Pix         []byte // R,G,B or R,G,B,A (not premultiplied) or grey
	Width       int
	Height      int
	Channels    int // 1, 3 or 4
	Orientation int // EXIF, 1..8
}

// Color is the order of a tensor's channels.
type Color string

// Layout is the order of a picture tensor's axes.
type Layout string

// Mode is how a picture is brought to size.
type Mode string

// Filter is the resampling filter, as Pillow defines it.
type Filter string

// The words of a recipe, as goshawk.yaml writes them.
const (
	RGB  Color = "RGB"
	BGR  Color = "BGR"
	Gray Color = "GRAY"

	NCHW Layout = "NCHW"
	NHWC Layout = "NHWC"

	NoResize  Mode = ""
	ShortSide Mode = "short-side" // the short side becomes Height (= Width), the other keeps the proportion
	Exact     Mode = "exact"      // Width x Height, proportions not kept
	Letterbox Mode = "letterbox"  // fits into Width x Height, the rest is Background

	Nearest  Filter = "nearest"
	Bilinear Filter = "bilinear"
	Bicubic  Filter = "bicubic"
	Lanczos  Filter = "lanczos"
)

// Recipe is how a picture becomes a model's tensor. It is data of the model's
// package. The steps run in the order of the fields; only Gray comes before the
// resize, where training code has it.
type Recipe struct {
	Background [3]uint8 // R,G,B under transparent pixels and around a letterbox
	Resize     Resize
	Crop       Crop
	Color      Color
	Rescale    float64    // each 8-bit value is multiplied by it,
	Mean       [3]float64 // then the mean is subtracted and the
	Std        [3]float64 // deviation divided by; both in the tensor's channel order
	Layout     Layout
	Type       tensor.Type // of the tensor: Float32, Float16, BFloat16, Float64, Uint8, Int8, Int32, Int64
	Width      int         // of the tensor, in pixels: what resize and crop come to
	Height     int
	Exact      bool // never shrink while decoding
}

// Resize is the first step. The zero value leaves the picture's size alone.
type Resize struct {
	Mode          Mode
	Width, Height int
	Filter        Filter
	Antialias     bool // false: the filter's support does not grow when shrinking (as OpenCV and old torchvision do)
}

// Crop takes the centre. The zero value takes everything; Fraction is of the resized picture.
type Crop struct {
	Width, Height int
	Fraction      float64
	Floor         bool // an odd pixel goes below and right (Hugging Face, Keras); else half to even (torchvision)
}
