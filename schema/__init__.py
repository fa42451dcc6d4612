"""What clients see: types, inputs and payloads with their descriptions. Signatures only; what they mean is in resolvers."""
