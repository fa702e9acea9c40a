// Package picture turns an encoded picture into a model's tensor. Inspect reads
// the header and says what decoding would cost, Decoder.Decode makes pixels
// (shrinking while it decodes), Recipe.Fill orients, resizes, crops and
// normalizes straight into the tensor. Nothing is allocated before its bound is
// checked, and every refusal is a problem.Problem.
package picture
