package main

func ignoreTerm() {}

func group() int { return 0 }

func reportSignals() int { return 0 }
