"""Terrazzo: images and labels in, maps out."""
