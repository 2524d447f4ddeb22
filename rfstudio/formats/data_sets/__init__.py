"""Readers of labelled images: folders with a folder for each class, and CIFAR-10."""
