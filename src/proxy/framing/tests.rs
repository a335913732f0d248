//! Tables of heads, chunks and trailers; and that where bytes are split changes nothing.
