package turbo

import "testing"

// After a warning libjpeg writes the whole picture, after an error nothing
// more: what is taken for the other shows memory that was never written.
func TestIsWarning(t *testing.T) {
	for message, want := range map[string]bool{
		"Corrupt JPEG data: 2 extraneous bytes before marker 0xda":             true,
		"Corrupt JPEG data: premature end of data segment":                     true,
		"Corrupt JPEG data: bad Huffman code":                                  true,
		"Corrupt JPEG data: found marker 0xd3 instead of RST1":                 true,
		"Corrupt JPEG data: bad arithmetic code":                               true,
		"Premature end of JPEG file":                                           true,
		"Inconsistent progression sequence for component 0 coefficient 5":      true,
		"Invalid SOS parameters for sequential JPEG":                           true,
		"Unknown Adobe color transform code 7":                                 true,
		"Warning: unknown JFIF revision number 3.01":                           true,
		"Invalid component ID 2 in SOS":                                        false,
		"Bogus DAC value 0x3":                                                  false,
		"Premature end of input file":                                          false,
		"Invalid progressive parameters Ss=1 Se=0 Ah=0 Al=0":                   false,
		"Unsupported marker type 0xfd":                                         false,
		"Progressive JPEG image has more than 500 scans":                       false,
		"tjDecompress2(): Could not determine subsampling type for JPEG image": false,
		"No error": false,
		"":         false,
	} {
		if got := isWarning(message); got != want {
			t.Errorf("%q: taken for a warning: %v, want %v", message, got, want)
		}
	}
}
