"""The states and union territories of India, folded: a column of them holds no statuses."""

from schemas.folding import fold

STATES = frozenset(
    fold(state)
    for state in (
        "Andhra Pradesh",
        "Arunachal Pradesh",
        "Assam",
        "Bihar",
        "Chhattisgarh",
        "Goa",
        "Gujarat",
        "Haryana",
        "Himachal Pradesh",
        "Jharkhand",
        "Karnataka",
        "Kerala",
        "Madhya Pradesh",
        "Maharashtra",
        "Manipur",
        "Meghalaya",
        "Mizoram",
        "Nagaland",
        "Odisha",
        "Orissa",
        "Punjab",
        "Rajasthan",
        "Sikkim",
        "Tamil Nadu",
        "Telangana",
        "Tripura",
        "Uttar Pradesh",
        "Uttarakhand",
        "West Bengal",
        "Delhi",
        "New Delhi",
        "Chandigarh",
        "Puducherry",
        "Pondicherry",
        "Ladakh",
        "Jammu and Kashmir",
        "Jammu & Kashmir",
        "Lakshadweep",
    )
)
