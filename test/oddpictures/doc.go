// Package oddpictures holds the table of what becomes of 1,121 odd, broken and
// hostile pictures: golden.csv. Its test needs the pictures themselves and
// stands behind the build tag ci; the table can be run against anything that
// answers pictures, a server too.
//
//	go test -tags ci ./test/oddpictures            # compare
//	go test -tags ci ./test/oddpictures -update    # write golden.csv anew
package oddpictures
