package turbo

import "strings"

// warnings is how libjpeg's warnings begin (JWRN_* in its jerror.h, of
// libjpeg-turbo and its relatives alike), by hand since the interface does not
// say: tjGetErrorCode answers "warning" for the rest of a picture once there
// was one, even when an error then ended it with no row written. The message is
// always the error's then.
func warnings() []string {
	return []string{
		"Corrupt JPEG data: ",
		"Premature end of JPEG file",
		"Inconsistent progression sequence for component ",
		"Invalid SOS parameters for sequential JPEG",
		"Unknown Adobe color transform code ",
		"Warning: unknown JFIF revision number ",
		"Application transferred too many scanlines",
	}
}

// isWarning says whether libjpeg goes on after the message. One that is not
// known is an error: a picture too few is better than one that is not there.
func isWarning(message string) bool {
	for _, w := range warnings() {
		if strings.HasPrefix(message, w) {
			return true
		}
	}
	return false
}
