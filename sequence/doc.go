// Package sequence gives numbers that nobody else gets.
package sequence
