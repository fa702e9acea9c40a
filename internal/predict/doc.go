// Package predict is the one way of a picture: every door hands an encoded
// picture to Run and gets labels back. What computes is behind Engine.
package predict
