"""Small files as people make them, each row judged as a careful clerk would: sent, held, ignored.

A twelfth of them go through the command, in the soak all; all are read in
``tests/integration/test_evidence_over_blocks.py``.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from tests.acceptance.harness import Root

WHEN = "27-11-2026 10:15"
AHEAD = "31-12-2026"
HEADER = ("Order ID", "AWB No", "Status", "Event Time")
AT_ONCE = 50
"""Files that one command reads, so that it ends in time on a busy machine."""

#: Name → lines of a file, and what becomes of its rows: s sent, h held (so is a title below rows).
FILES: dict[str, tuple[Sequence[str], str]] = {}


def column(heading: str, cells: Sequence[str], ends: str, *, status: str = "Delivered") -> None:
    """Add a file with a further column."""
    lines = [f"Order ID,AWB No,Status,Event Time,{heading}"]
    lines += [f"A{at},W{at}00,{status},{WHEN},{cell}" for at, cell in enumerate(cells)]
    name = f"{status}, {heading or 'nothing'} = {cells[0]}"
    while name in FILES:
        name += ", again"
    FILES[name] = (lines, ends)


for name in ("Type", "Type of Shipment"):
    column(name, ("Forward", "R T O", "R.T.O."), "shh")
column("Flow", ("Backward", "Forward"), "hs")
column("Type", ("RET", "FWD", "RET"), "hsh")
column("Type", ("WHS", "RET", "RET"), "sss")  # retail and wholesale
column("Bag Type", ("RTO Bag", "FWD Bag"), "hs")
column("RTO", ("✔", "✗"), "hs")
column("RTO", ("X", ""), "hs")
# Who has it, and where it goes.
column("Brand", ("Reverse", "Acme", "Forever New", "Lakme"), "ssss")
column("Ship To", ("Customer", "Warehouse", "Our WH"), "shh")
column("Consignee", ("Asha Rao", "Fynd Seller", "Warehouse"), "shh")
column("Ship From", ("Warehouse", "Customer", "Seller"), "shs")
column("Consignor", ("Customer", "Acme"), "ss", status="Return Delivered")
column("Movement Type", ("B2C", "C2B"), "sh")
column("Physical Status", ("With customer", "Lying at hub", "In warehouse"), "shh")
column("Seller Confirmation", ("Received", "Received back by us", "Parcel with us"), "shh")
column("Seller Remarks", ("Payment received back",), "s")
column("Sub-status", ("POD received", "Reattempt tomorrow", "To be delivered"), "shh")
column(
    "Sub Status",
    ("Attempted - no one home", "Rescheduled by customer", "Customer not available", "Door locked"),
    "hhhh",
)
column(
    "Sub Status",
    ("Delivered to self", "Delivered after reattempt", "OTP verified", "COD collected"),
    "ssss",
)
column("Latest NDR Reason", ("Customer not available", ""), "ss")
column("Closing Status", ("Closed - Delivered", "Closed - RTO"), "sh")
column("Closing Status", ("Open", "Closed"), "hs")
column("Ticket Status", ("Open", "Closed"), "ss")
column("POD Verification", ("Rejected", "Verified", "Pending", ""), "hsss")
column("POD Status", ("Uploaded", "Rejected"), "ss")  # the paper's
column("Reopened", ("Yes", "No", ""), "hss")
column("Courier Reply", ("Not delivered", "Delivered", "will call back"), "hss")
column("Remarks", ("Delivered?", "Is it delivered?", "Delivered", "gift?"), "hhss")
for name in ("DOD", "D.O.D"):
    days = ("27-11-2026", "30-12-2026", "01-01-2026", "Awaited", "", "26-11-2026")
    column(name, days, "shhhss")
column("Delivery Result Text", ("Successful", "Unsuccessful - customer unavailable"), "sh")
column("Journey", ("Seller -> Customer", "Customer -> Seller"), "sh")
column("RTO Consignment", ("", "R9912003"), "sh")
column("RTO Delivered Date", ("1900-01-00", "01-01-0001", "01-01-1900", "27-11-2026"), "sssh")
column("RTO", ("✅ RTO", "✔ returned", "√", "✔️", "☒", "❌ RTO", "❌", "R"), "hhhhhhsh")
column("Type", ("RET", "FWD", "SDD"), "hss")
column("Delivered", ("✗", "✓"), "hs")
for damaged in ("R\ufffdTO", "RTO\ufffd"):
    column("Type", (damaged, "Forward", "RTO"), "hsh")
column("Is RTO", ("Ye\ufffds", "No"), "hs")
column("Stage", ("Und\ufffdelivered", "Delivered"), "hs")
column("Stage", ("Un\ufffdelivered", "Left with Jos\ufffd at door"), "hs")
column("Product", ("Caf\ufffd", "Mug"), "ss")
column("Curent Staus", ("Out For Delivery", "zz", "yy"), "hss")  # a misspelt status
column("is_rvp,Is Revers", (",yes", ",no"), "hs")
column("Stage", ("Undéelivered", "Und?elivered", "UndÃ©livered", "RTO Délivered"), "hhhh")
column("Stage", ("In Tr?nsit", "Out For Délivery", "Café closed?", "Left at gate?"), "hhss")
column("Shipment Type", ("R?O", "Forward", "RTÓ", "FWD"), "hshs")
column("Is RTO", ("?", "", "No"), "hss")  # a tick that no encoding had
column("Leg", ("Forward", "RTO", "?"), "shh")
column("is_rvp", ("?", "no"), "hs")
column("Forward/Reverse", ("FWD", "Féorward", "RVP", "Return"), "hhss", status="Return Delivered")
column("Is RTéO", ("Y", "N", ""), "hss")
column("Is RT\ufffdO", ("Yes", "No"), "hs")
column("Réference", ("Y", "N"), "ss")
column("Stage", ("Refusé par Müller: undelivered", "Déjà vu"), "ss", status="RTO Delivered")
for damaged in ("RT\ufffd", "R\ufffdverse", "\ufffdTO", "\ufffd", "Ret\ufffdrn to seller"):
    column("Shipment Type", (damaged, "FWD", "Forward"), "hss")
column("Shipment Type", ("\ufffdTO", ""), "hs")
column("Shipment Type", ("Sale", "RET", "\ufffd"), "shh")
column("Trip", ("Forward", "RTO", "Forward", "\ufffd", ""), "shshh")
column("दिशा", ("व\ufffdपसी", "फॉरवर्ड"), "hs")
for said in (
    "डिलीवर नहीं हुआ",
    "रद्द",
    "டெலிவரி செய்யப்படவில்லை",
    "ডেলিভারি হয়নি",
    "रद्द केले",
    "રદ",
    "రద్దు",
):
    column("Current Status", (said, "Delivered", ""), "hss")
    column("Tag", (said, "", "VIP"), "hss")
for said in (
    "deliver nahi hua",
    "delivery jhali nahi",
    "cancel ho gaya",
    "parat aala",
    "delivery hoyni",
):
    column("Sub Status", (said, "Delivered to customer", ""), "hss")
column("Tag", ("delivery nahi hui", "radd ho gaya", "regular"), "hhs")
# UTF-8 that a program read in a code page of Windows or DOS, and wrote again.
column("Leg", ("αñ╡αñ╛αñ¬αñ╕αÑÇ", "Forward", ""), "hss")
column("Current Status", ("à¤°à¤¦à¥\u008dà¤¦", "Delivered"), "hs")
column(
    "Current Status",
    ("डिलीवर हो गया", "டெலிவரி செய்யப்பட்டது", "ডেলিভারি নিয়েছে", "डिलिव्हर झाले"),
    "ssss",
)
column("Sub Status", ("delivery ho gayi", "customer ko mil gaya", "address nahi mila"), "sss")
column("Customer", ("सरदार पटेल", "રદ્ધિ શાહ", "Md Batil", "José Müller", "JosÃ©"), "sssss")
column("Tags", ("रद्दी", "रद्दी पेपर", "नियमित"), "sss")  # waste paper
column("Description", ('"डिलीवर नहीं हुआ था, अब हुआ"', "डिलीवर नहीं हुआ है"), "sh")
column("City", ("परतवाडा", "परतूर", "प्रतापगढ़"), "sss")
column("Leg", ("परत", "परतला", "फॉरवर्ड"), "hhs")
column("Address", ("परतवाडा रोड", "എറണാകുളം ജില്ല", "ডেলিভারি রোড", "रद्दी चौक"), "ssss")
column("Remarks", ("ग्राहक को दिया", "डिलीवरी बॉय नहीं आया था", "रद्द करने को कहा था"), "sss")
column("Delivery Instructions", ("delivery boy ko call nahi kare", "gate par nahi milunga"), "ss")
column("", ("\ufffdTO", *["Forward"] * 9), "h" + "s" * 9)
column("Is RTO", ("Y\ufffds", "\ufffd", "No"), "hhs")
column("Delivered?", ("\ufffdo", "Y"), "hs")
column("Handed over to", ("S\ufffdller", "Customer"), "hs")
column("RTO AWB", ("\ufffd", ""), "hs")
column("Return Comment", ("Jos\ufffd asked us to call", "Left with Jos\ufffd at the gate"), "ss")
column("Remarks 2", ("Jos\ufffd asked us to call", "Jos\ufffd"), "ss")
column("Direction", ("Forward", "R\ufffdO"), "sh")
column("Stage", ("Out For Del\ufffdvery", "Ret\ufffdrned to the seller at Pune"), "hh")
column("NDR Status", ("RTO Del\ufffdvered", ""), "hs")
column("Seen", ("Out For Del\ufffdvery", "Delivered"), "hs")
column("Where", ("RTO In Tr\ufffdnsit", *["Delivered"] * 9), "h" + "s" * 9)
column("ਦਿਸ਼ਾ", ("ਵਾਪਸੀ", "ਫਾਰਵਰਡ"), "hs")
column("سمت", ("واپسی", "فارورڈ"), "hs")
column("Flow", ("Forward", "RTO-P", "RVP-C"), "shh")
column("Type", ("RTN", "Sales Return", "SALE"), "hhs")
column("Leg", ("R", ""), "hs")
column("Forward", ("No", "Yes"), "hs")
column("F/R", ("F", "R", ""), "shh")

# The name of a courier's account or service may be that of a way back, the name of a company not.
REVERSE = ("Delhivery Reverse", "Bluedart RTO", "Ekart Reverse QC", "Delhivery Surface")
for name in ("Courier Company", "Service", "Logistics Partner", "Courier Account"):
    column(name, (*REVERSE, "Reverse Logistics Pvt Ltd"), "hhhss")
column("Courier", (*REVERSE, "Xpressbees Air"), "sssss", status="RTO Delivered")
column("Courier", ("Reverse Logistics Pvt Ltd",) * 3, "sss")
column("Courier Name", ("Delhivery Reverse",) * 3, "hhh")
column("Courier", ("Blue Dart", "No return courier", "Ekart", "Shree Maruti", "Bikaner"), "sssss")

# Only a customer's return is picked up at his place, or brought to the warehouse.
column("RMA No,QC,Pickup Date", ("R1,OK,20-11-2026", "R2,OK,20-11-2026"), "hh")
column("Customer Pickup Date,QC Status,Refund Amount", ("20-11-2026,OK,5", ",,0"), "hs")
column("Pickup Customer,Drop Warehouse", ("Asha,BLR", "Ravi,BLR"), "hh", status="Picked Up")
column("Pickup Pincode,Drop Warehouse,Doorstep QC", ("560001,BLR,OK",), "h")
column("Pickup Customer,Drop Warehouse", ("Asha,BLR",), "s", status="Return Delivered")
column("QC Status,Refund Amount,Pickup Date", ("OK,0,20-11-2026",), "s")
column("Pickup Warehouse,Drop Customer,QC", ("BLR,Asha,OK",), "s")

# Ways in shorter words, and what a row is billed for.
for name, said in (
    ("Parcel Flow", ("R2S", "S2C")),
    ("Flow", ("RTN2SLR", "F")),
    ("Bound", ("Inbound", "Outbound")),
    ("Bound Type", ("IB", "OB")),
    ("In/Out", ("In", "Out")),
    ("Leg", ("Back", "Onward")),
    ("Movement", ("Reverse Mvmt", "Fwd Mvmt")),
    ("Way", ("R", "F")),
    ("Charge Head", ("RTO Charges", "Freight")),
    ("Billing Type", ("RTO freight", "Forward freight")),
    ("Type", ("Ret-Del", "Del")),
    ("Type", ("Back2Seller", "Delivery")),
    ("Type", ("Return2Origin", "Delivery")),
    ("Type", ("RVPU", "FWD")),
    ("Trip Type", ("Rev PU", "Fwd")),
    ("Direction", ("Customer2Seller", "Seller2Customer")),
    ("Going To", ("Seller", "Customer")),
    ("Kya hua", ("R\ufffdO", "Forward")),
    ("Delivery Type", ("Partial", "Full")),
):
    column(name, said, "hs")
for name, said in (
    ("Bound", ("Outbound", "Outbound")),
    ("Bound", ("North", "South")),
    ("In/Out", ("Out", "Out")),
    ("Way", ("Air", "Road")),
    ("Charge Head", ("Freight", "COD")),
    ("Rate Type", ("Reverse Charge", "Normal")),
    ("Leg", ("1", "2")),
    ("Going To", ("Pune", "Delhi")),
    ("Kya hua", ("Delivered", "mil gaya")),
    ("Order Type", ("Partial", "Prepaid")),
):
    column(name, said, "ss")

# A second status in one row, whoever says it, and cells that take back what they say.
for name in ("Verified Status", "Manual Status", "Updated Sts", "Portal Status", "Ops Status"):
    column(name, ("Undelivered",), "h")
    column(name, ("Delivered", "Delivered to customer"), "ss")
for name in ("Fulfillment Status", "Website Status", "App Status", "Our Status", "System Status"):
    column(name, ("Packed", "In Transit", "RTO Delivered"), "ssh")
cells = ("At Hub", "Reached At Destination", "Pickup Failed")
column("Ground Status", cells, "ssh", status="Picked Up")
for name in ("WhatsApp Status", "Payment App Status"):
    column(name, ("Delivered", "Read"), "ss", status="RTO Delivered")
for name in ("Customer", "Rider", "Landmark", "Received By"):
    column(name, ("Ren\ufffde", "Ravi"), "ss")
column("Delivered To", ("Se\ufffdler", "Ravi"), "hs")
for name in ("POD", "LR Copy", "Crates", "E-Way Bill"):
    column(name, ("Received back", "With seller", "With us"), "sss")
for name in ("Ship To Type", "Delivery Location", "Drop Type"):
    column(name, ("Home", "Warehouse", "Our Warehouse"), "ssh")
for said in (
    "Delivered + RTO",
    "Delivered (fake)",
    "Delivered - not confirmed",
    "Delivered (expected)",
    "Delivered 1/2",
    "Partially delivered",
    "2nd box in transit",
    "Delivered ?",
):
    column("Remarks", (said, "Delivered"), "hs")
    column("Sub Status", (said, "Delivered to customer"), "hs")
for said in (
    "2 of 2 delivered",
    "Delivered 2 boxes",
    "Delivered; RTO was cancelled before",
    "Undelivered | Delivered",
):
    column("Remarks", (said, "Delivered"), "ss")

# A return's number, and that of a refund in every row.
column("RMA", ("R1", "R2"), "hh")
column("RMA", ("", "NA"), "ss")
column("Refund ID", ("R1", "R2"), "hh")
column("Credit Note No", ("CN1", "CN2"), "hh")
column("Refund ID", ("R1", ""), "ss")  # a refund has many a reason
column("Refund ID", ("R1", "R2"), "ss", status="Return Delivered")
column("Refund ID", ("R1", "R2"), "ss", status="RTO Delivered")
column("Refund ID", ("Pending", "Not initiated"), "ss")

# The status under plain names for it, and one that is by its name how things stood before.
for name in (
    *("Last Status", "Scan Status", "Latest Scan Status", "Last Known Status", "Recent Status"),
    *("Logistics Status", "3PL Status", "Current State", "Shipment State", "Tracking State"),
):
    FILES[f"status under {name}"] = (
        [f"Order ID,AWB No,{name},Event Time", f"A1,W100,Delivered,{WHEN}", f"A2,W200,NDR,{WHEN}"],
        "sh",
    )
    column(name, ("Delivered", "RTO Initiated", "Undelivered"), "shh")

# Fewer pieces, by other words.
column("Order Qty,Recd Qty", ("2,1", "2,2"), "hs")
column("Qty Sent,Dlv Qty", ("2,1", "1,1"), "hs")
column("Order Qty,Qty,Delivered Qty", ("4,1,1", "2,2,2"), "ss")

# A yes or no with a byte that no encoding has.
for name in ("Is Self Ship", "Auto Dispatched"):
    column(name, ("Ye\ufffd", "Yes"), "hs")

# The only time, of no event by its name, and a second one that lies ahead.
for name in ("POD Upload Time", "Day", "Txn Date", "Entry Date", "DD/MM/YYYY", "OTP Verified At"):
    header = f"Order ID,AWB No,Status,{name}"
    for when, ends in (("27-11-2025", "h"), ("13-01-2027", "h"), ("27-11-2026", "s"), ("Sat", "s")):
        FILES[f"{name} {when}"] = ([header, f"A1,W100,Delivered,{when}"], ends)
# As a spreadsheet stores it; a length of time in seconds is none.
for name in ("delivered_ts", "POD Date", "Txn Date"):
    for whens, ends in (("46000.42,46001", "hh"), ("46354.42,46354", "ss"), ("46600", "h")):
        rows = [f"A{at},W{at},Delivered,{when}" for at, when in enumerate(whens.split(","))]
        FILES[f"{name} {whens}"] = ([f"Order ID,AWB No,Status,{name}", *rows], ends)
column("Delivery Time", ("7200", "95000"), "ss")
for name in ("Last Scan Ts", "Updated At", "Latest Scan"):
    header = f"Order ID,AWB No,Status,Delivered Date,{name}"
    for when, ends in (("13-01-2027 10:00", "h"), ("28-11-2026 10:00", "s"), ("", "s")):
        FILES[f"{name} {when} beside"] = ([header, f"A1,W100,Delivered,{WHEN},{when}"], ends)
# It may be month first; an end that is none of the delivery may lie ahead.
for name, when in (("Txn Date", "11/12/2026"), ("Closing Date", AHEAD), ("End Date", AHEAD)):
    FILES[f"{name} {when}"] = ([f"Order ID,AWB No,Status,{name}", f"A1,W1,Delivered,{when}"], "s")

# Words in one.
for word in (
    *("ReverseShipment", "CustomerReturn", "RTOShipment", "RTO1", "RTOd", "RTV", "C2W", "b2s"),
    *("Rtnd", "RETN", "Bk to seller", "shipper rtn", "IncomingShipment", "Exchange Pickup"),
):
    column("shipment_type", (word, "OutgoingShipment"), "hs")
column("shipment_type", ("ForwardShipment", "RTVSealant", "B2CParcel", "iPhone12"), "ssss")
column("Leg", ("Forward", "RTO", "", "Forward", ""), "shhss")  # a way, and the rows of its group
column("Back to seller", ("Yes", "No"), "hs")
column("दिशा", ("वापसी", "आरटीओ", "फॉरवर्ड"), "hhs")
column("வகை", ("ரிட்டர்ன்", "ரிவர்ஸ் பிக்கப்", "ஃபார்வர்ட்"), "hhs")
column("", ("RTO", "Forward", "RTO"), "hsh")
column("RTOAWB", ("77001", ""), "hs")
column("RTODate", ("20-11-2026", ""), "hs")
column("AWB (Return)", ("77001", ""), "hs")
column("Is Delivered", ("No", "Yes"), "hs")
column("Delivered?", ("N", "Y"), "hs")
column("Undelivered", ("Yes", "No"), "hs")
column("Cancelled", ("Yes", "No"), "hs")
column("Delivery Failed", ("Yes", "No"), "hs")
column("Cancel Flag", ("Y", ""), "hs")
column("Lost/Damaged", ("Lost", ""), "hs")
column("Is Lost", ("Y", "N"), "hs")
column("Is Delivered", ("No", "No"), "ss", status="RTO Delivered")
column("Cancelled", ("Yes", "No"), "ss", status="RTO Delivered")
column("NDR Status", ("RTO Delivered", "Undelivered", ""), "hss")
for word in ("Partially delivered", "Fake delivery", "Delivery disputed", "Wrong delivery"):
    column("Sub Status", (word, "Delivered at door"), "hs")
column("Sub Status", ("Refused by customer", "Failed attempt"), "ss", status="RTO Delivered")
column("Return Customer", ("Yes", "No"), "ss")
column("Last Return Date", ("05-12-2026", ""), "ss")
column("Rev No", ("1", "2"), "ss")
column("Attempt 1 Status", ("Undelivered", "Delivered"), "ss")
column("Status (Yesterday)", ("In Transit", "Out For Delivery"), "ss")
column("Row Labels", ("Delivered", "RTO"), "ss")  # of a pivot table beside the rows

# A cell of a column that names the way back leaves its row open, unless it is a no.
for name in ("Is RTO", "RTO", "RTO Flag", "Return", "RVP", "Returned", "Is Return Shipment"):
    column(name, ("Yes - refused", "No", "Initiated", "27-11-2026", "RTO-IT", "हाँ", "2"), "hshhhhh")
column(
    "RTO", ("Yes!", "YES (customer not available)", "TRUE()", "Delivered", "done ✔", "是"), "hhhhhh"
)
column("RTO", ("Customer not available", "In Transit", "Back - not refunded", "Ye"), "hhhh")
column("Cancelled", ("Yes - refused", "TRUE()", "27-11-2026", "No"), "hhhs")
column("Undelivered", ("Yes - shut", "3 times", "N", "Not delivered"), "hhsh")
column("Is Delivered", ("No - refused", "Not yet", "Yes - at door", "26-11-2026"), "hhss")
column("Forward", ("RTO-IT", "Initiated", "Yes"), "hss")
column("RTO", ("Initiated", "27-11-2026", "Yes - refused"), "sss", status="RTO Delivered")
column("Cancelled", ("Yes - refused", "27-11-2026"), "ss", status="RTO Delivered")
for name in ("Is RTO", "Return"):
    cells = ("N/A", "-", "0", "0.00", "No RTO", "Not Applicable", "Forward", "", "Non-RTO", "Nil")
    column(name, cells, "s" * 10)
    cells = (
        "NA (forward)",
        "No - delivered",
        "FALSE()",
        "RTO not initiated",
        "Not yet",
        "00-00-0000",
    )
    column(name, (*cells, "नहीं", "Nahi", "N.", "✗", "₹ 0", "Normal"), "s" * 12)
column("Return", ("7 days return", "Not eligible", "10 Days", "Eligible"), "ssss")
column("Return", ("Exchange", "Replacement"), "hh")
column("RTO Reason", ("Customer not available", "No", "NA"), "hss")
column("Return Remarks", ("Not applicable", "Not initiated", "0"), "sss")
column("Return To", ("Mumbai WH", "Pune WH"), "ss")
column("RTO %", ("12.5", "3"), "ss")
column("Cancelled", ("Not cancelled", "Order not cancelled", "NA", "0"), "ssss")
column("Undelivered", ("No", "0", "-", "Delivered"), "ssss")
column("Is Delivered", ("Yes", "Delivered", "Y", "26-11-2026"), "ssss")

# A plain word of the way back, and a few more words.
for name, other in (("Category", "Regular"), ("Bucket", "Surface"), ("Type", "COD")):
    cells = (
        "RTO-Undelivered",
        "RTO (Refused)",
        "Returned - damaged",
        "Reverse pending",
        "RVP QC ok",
    )
    column(name, (*[other] * 5, *cells), "s" * 5 + "h" * 5)
column("Category", ("RTO-Undelivered", "Regular"), "ss", status="RTO Delivered")
for forward, back in (("Outbound", "Inbound"), ("Outward", "Inward")):
    for name in ("Flow", "Movement", "Direction", "Shipment Type"):
        column(name, (forward, back, f"{back} shipment", forward), "shhs")
column("Category", ("Return Gifts", "Return Gift Box", "Reverse Osmosis Filters", "Mugs"), "ssss")
column("Bucket", ("High RTO", "Low RTO", "RTO risk: low", "RTO free", "Non RTO"), "sssss")
column("Type", ("Reverse Charge", "Normal", "Not returned yet"), "sss")
column("Scan Type", ("Inbound", "Outbound"), "ss")  # of a hub
column("Call Type", ("Inbound", "Outbound"), "ss")
column("Trip", ("Outbound", "Outbound"), "ss")

# To whom it was handed.
for name in ("Received By", "Receiver", "Receiver Name", "Recipient", "POD Name", "Handed Over To"):
    cells = ("RTO WAREHOUSE", "Seller warehouse", "Consignor", "The shipper", "RTO")
    column(name, (*cells, "Self", "Asha Rao"), "h" * 5 + "ss")
column(
    "Received By",
    ("Ismail Merchant", "Security guard", "Warehouse", "RTO office", "Mother"),
    "sssss",
)
column("Received By", ("Seller warehouse", "Consignor"), "ss", status="RTO Delivered")
column("POD Name", ("Merchant Navy Hostel", "Signed by origin of Ravi", "Reception"), "sss")
column("Received By Date", ("27-11-2026", "28-11-2026"), "ss")
cells = ("Delivered to shipper", "Delivered back to seller", "Handed over to the consignor")
column("Sub Status", (*cells, "Delivered at origin", *["Delivered to customer"] * 5), "hhhhsssss")
column(
    "Sub Status",
    ("Delivered to neighbour", "Delivered to Origin Towers", "Handed over to guard"),
    "sss",
)
column("Sub Status", ("Delivered to shipper",), "s", status="RTO Delivered")

# Notes beside rows, in a column without a heading.
cells = ("this is RTO", "not delivered pls check", "cancelled!", "fake delivery")
column("", (*cells, "ok", "left at door", "urgent"), "hhhhsss")
column("", ("FALSE", "TRUE", "FALSE"), "sss")
column("", ("checked", "RTO if refused again", "12", "Asha", "delivered"), "sssss")
column("", ("called - customer asked us to return it on Monday", "returnable", "no RTO"), "sss")
column("", ("this is RTO", "came back"), "ss", status="RTO Delivered")

# Ordinary columns of reports that say nothing of where a parcel is.
column("SLA Status", ("Delayed", "Within SLA", "Breached"), "sss")
column("TAT Status", ("Delayed", "On Time", "Failed"), "sss")
column("Weight Status", ("Disputed", "Accepted", "Rejected"), "sss")
column("Risk Status", ("Rejected", "Cancelled", "Low"), "sss")
column("Dispatch Status", ("Dispatched", "Dispatched", "Picked Up"), "sss")
column("Mid Mile Status", ("In Transit", "Delivered", ""), "sss")
column("Customer Type", ("Return Customer", "New Customer", "Returning Customer"), "sss")
column("Customer Type", ("Return Customer", "Return Customer"), "ss")
column("Sub Status", ("Delivered after failed attempt", "Delivered (Damaged box)"), "ss")
column("Sub Status", ("Delivered after 2 unsuccessful attempts", "Successfully delivered"), "ss")
column("Last Mile Status", ("Undelivered", "RTO", "Delivered"), "hhs")
column("Dispatch Status", ("RTO Delivered", "Dispatched"), "hs")
column(
    "Sub Status",
    ("Delivered - attempt failed", "Not delivered: damaged", "Delivered then refused"),
    "hhh",
)

# A customer's return goes to the seller as well, and was delivered before.
for name in ("Received By", "Delivered To", "Handed Over To", "To"):
    column(name, ("Seller", "Seller Warehouse", "RTO"), "ssh", status="Return Delivered")
    column(name, ("Seller", "Customer"), "hs")
column("To", ("Seller",), "s", status="Return Picked Up")
for name in ("Sub Status", "Remarks"):
    cells = ("Delivered to seller", "Delivered to seller warehouse", "Handed over to the vendor")
    column(name, cells, "sss", status="Return Delivered")
cells = ("RTO - returned to seller", "Returned to origin")
column("Sub Status", cells, "hh", status="Return Delivered")
for name in ("Order Status", "Forward Status"):
    for status in ("Return Delivered", "Return Picked Up"):
        column(name, ("Delivered", "RTO Delivered", "Delivered"), "shs", status=status)
cells = ("Delivered to consignor", "Delivered to seller")
column("Sub Status", cells, "ss", status="RTO Delivered")

# Somebody else has it: a hub, the next courier, a stranger. Or only a leg of its way was done.
cells = ("Delivered to hub", "Delivered to delivery boy", "Delivered to transporter")
for name in ("Sub Status", "Received By", "Delivered To", "Remarks", "Note 2"):
    more = ("Delivered to wrong address", "Handed over to last mile partner", "Delivered to branch")
    column(name, (*cells, *more, "Delivered to customer", "Asha"), "hhhhhhss")
column("Sub Status", ("Ready for self collect", "Held for collection at branch"), "hh")
column("Delivered To", ("Hub", "Mumbai branch", "Courier", "Customer", "Hub Towers"), "hhhss")
column("Handed Over To", ("Courier", "Delhivery"), "ss")
column("Received By", ("Hub", "Warehouse", "Branch manager"), "sss")
column("Sub Status", ("Delivered to branch manager", "Delivered to Courier Lane 4"), "ss")
column("Seller Status", ("Handed over to courier", "Handed over to courier partner"), "ss")
column("Leg", ("1 of 2", "First Mile", "FM", "Last Mile", "LM", "2 of 2"), "hsssss")
column("Movement", ("Hub to Hub", "Line Haul", "Hub to Customer"), "hhs")
column("Task Type", ("Line haul", "Delivery"), "hs")
column("Delivery Type", ("Hub Delivery", "Home Delivery"), "hs")
column("Order Type", ("STN", "Stock Transfer", "B2C"), "hhs")
column("Unit", ("MM", "FM"), "ss")
for name, cells in (
    ("Currently With", ("Courier", "Bhiwandi Hub", "Customer")),
    ("Physical Location", ("Warehouse", "In transit", "Customer address")),
    ("Lying At", ("Bhiwandi Hub", "DC", "")),
):
    column(name, cells, "hhs")

# Open boxes, and further words for pieces.
for name in ("Open Box", "OBD Status", "Try & Buy", "Open Box Delivery"):
    column(name, ("Rejected", "Returned", "Accepted", "Yes", "Kept all"), "hhsss")
for name in ("Articles,Articles Delivered", "CTN,Del CTN", "Ordered Qty,Received Qty"):
    column(name, ("10,8", "3,3", "4,"), "hss")
for name in ("Total Pcs,Del Pcs", "Pkts,Dlvd Pkts", "MPS Count,MPS Delivered", "Qty,Accepted Qty"):
    column(name, ("3,1", "2,2"), "hs")
column("Qty,Received Qty", ("1,0", "1,0"), "ss")
column("POD No", ("0", "12", "8/10"), "sss")
column("Duplicate Order", ("Yes", "No"), "ss")
column("Warehouse Stage", ("Ready for pickup", "Awaiting pickup", "Packed"), "sss")
column("Qty,Received Qty", ("1,0", "1,1"), "hs")
for name in ("Accepted Qty", "POD Qty", "Child AWBs Delivered", "Items Accepted"):
    column(name, ("1 of 3", "8/10", "3 of 3"), "hhs")
for name in ("Items Accepted", "Accepted Qty"):
    column(name, ("0", "2"), "hs")
for name in ("Balance Pkgs", "Balance Qty"):
    column(name, ("2", "0", ""), "hss")
column("Excess/Short", ("Short", "OK", "0"), "hss")
column("Balance", ("250", "0"), "ss")

# Further flags.
for name in ("Destroyed", "Stolen", "Is Missing", "Wrong AWB", "AWB Mismatch", "Superseded"):
    column(name, ("Yes", "No", ""), "hss")
for name in ("Assumed", "Provisional", "Physically Received Back", "Restocked"):
    column(name, ("Yes", "No", ""), "hss")
for name in ("Is Final", "Status Confirmed"):
    column(name, ("No", "Yes", ""), "hss")
for name in ("Correct AWB", "Actual AWB", "Replaced By"):
    column(name, ("77001", "", ""), "hss")
column("Actual AWB", ("W000", "W100", ""), "sss")
column("Correct AWB", ("77001", "77002"), "ss")
cells = ("Partly", "Attempted", "Tomorrow", "Pending", "On hold", "Yes", "26-11-2026")
column("Delivered?", cells, "hhhhhss")
column("Actual Status", ("Not with customer", "Delivered"), "hs")
column("RTO Intransit", ("28-11-2026", ""), "hs")

# A scan with its place and time in one cell, and ditto marks below a way back.
cells = (
    "Undelivered - Mumbai Hub - 28/11/2026 18:00",
    "28-11-2026 18:00 RTO Initiated",
    "RTO Initiated | Mumbai",
    "Shipment is being returned to origin",
    "Delivered - Mumbai - 27/11/2026 10:15",
    "26-11-2026 Undelivered | 27-11-2026 Delivered",
    "Picked Up | In Transit | Out for delivery",
)
for name in (
    "Tracking",
    "Scan History",
    "Timeline",
    "Latest Checkpoint",
    "Courier Response",
    "Log",
):
    column(name, cells, "hhhhsss")
column("Tracking", ("https://track.example/rto/1", "Tracking link"), "ss")
for mark in ('""""', "\u3003", "''", "\u2191", "^", "-do-", "ditto", "Same as above"):
    for name, way, other in (("Is RTO", "Yes", "No"), ("Bucket", "RTO", "Sale")):
        column(name, (other, mark, way, mark, mark, other), "sshhhs")
column("Current Status", ("Delivered", "RTO Initiated", "-do-", "ditto"), "shhh")
column("Colour", ("Red", "same", "ditto"), "sss")

# Columns that say that a delivery is not true, or not the end.
for name in ("Fake Delivery", "Disputed", "Is Fake Delivery?", "Wrong Delivery"):
    column(name, ("Yes", "No", "", "Yes - no OTP"), "hssh")
column("Disputed", ("Yes", "No"), "ss", status="RTO Delivered")
for name in ("Is Valid Delivery", "Valid Delivery (Y/N)"):
    column(name, ("No", "Yes", "", "N"), "hssh")
for name in ("Cancelled Date", "Lost Date", "Cancelled On", "Cancelled At"):
    column(name, ("27/11/2026", "", "NA", "00-00-0000"), "hsss")
column("Cancelled Date", ("27-11-2026", ""), "ss", status="RTO Delivered")
column("Undelivered Date", ("25-11-2026", ""), "ss")  # of an attempt
for name in ("Self-Shipped?", "Is Self Shipped"):
    column(name, ("No", "Yes"), "hs")
column("Fake Attempt", ("Yes", "No"), "ss")
column("Weight Disputed", ("Yes", "No"), "ss")
column("Cancel By Date", ("30-11-2026", ""), "ss")
column("Delivery Valid Till", ("No", "30-11-2026"), "ss")

# A plain word of the way back under any heading.
for name in ("LOB", "Payment", "Dirn", "Shpt Typ", "Tag", "Disposition", "Source Sheet"):
    column(name, ("Regular", "RTO", "RVP", "Reverse", "Regular", "Sale"), "shhhss")
column("Ship Leg", ("a", "rts", "b", "FWD", "c"), "shsss")
column("Segment", ("B2C", "Reverse Pickup", "R.T.O.", "रिवर्स", *["B2C"] * 3), "shhhsss")
column("LOB", ("B2C", "Return to Origin", "Ship to Origin", "B2C"), "shss")
column("LOB", ("B2C", "RTO"), "ss", status="RTO Delivered")
OF_OTHERS = ("Previous State", "NDR Action", "Reason", "Remarks 2", "Hub", "RTO Address")
for name in OF_OTHERS:
    column(name, ("Regular", "RTO", "Reverse"), "sss")
column("Item", ("Mug", "Reverse Osmosis", "RTO Systems Ltd", "Reversible Jacket"), "ssss")
column("Type (F/R)", ("F", "R", "F"), "shs")
column("Type [R/F]", ("Regular", "Fragile"), "ss")
column("Shipment (Fwd/Rev)", ("Fwd", "Rev", "Fwd"), "shs")
for name in ("Direction", "Flow"):
    column(name, ("→", "←", "→", "⬅️"), "shsh")
    column(name, ("->", "<-", "->"), "shs")
column("Score", ("<", "←"), "ss")
for name in ("Ret?", "Came Back", "Received back", "Wapas", "वापस"):
    column(name, ("Yes", "No", ""), "hss")
column("वापस", ("हाँ", ""), "hs")
column("Call Back", ("Yes", "No"), "ss")
column("Delivered At", ("Seller Address", "RTO Warehouse", "Customer Address"), "hhs")
column("Delivered At", ("27-11-2026 10:15", "Origin Towers", "Security"), "sss")
column("Destination Type", ("Seller", "Customer", "Seller Warehouse"), "hsh")
column("Drop Location Type", ("Seller", "Home"), "hs")
column("Result", ("Failed", "Success"), "hs")
column("Delivery Result", ("Unsuccessful", "Successful", "Delivered"), "hss")
column("QC Result", ("Failed", "Passed"), "ss")

for name in (
    "Pieces,Delivered Pieces",
    "No of Boxes,Boxes Delivered",
    "Order Qty,Qty,Delivered Qty",
):
    cells = ("2,1", "2,2", "2,", "1,1.0", "12,9", "Delivered,1")
    lead = "9," if name.startswith("Order") else ""
    column(name, [lead + cell for cell in cells], "hssshs")
column("Order Qty,Delivered Pieces", ("2,1", "1,1"), "ss")  # two things in a box
column("Pieces,Delivered Pieces", ("2,1", "2,0"), "ss", status="RTO Delivered")
DATES = (
    "27-11-2026 18:00",
    "28-11-2026",
    "27-11-2026 09:00",
    "26-11-2026",
    "",
    "shut",
    "27-11-2026",
)
for name in ("Undelivered Date", "Last NDR Date", "Delivery Failed On"):
    column(name, DATES, "hhsssss")
column("Undelivered Date", ("27-11-2026 18:00",), "s", status="RTO Delivered")
column("Failed Attempt Reason Date Code", ("28-11-2026",), "s")

# Neighbouring words of all these.
for name in ("Is it RTO", "RTO Mark", "Came back", "Ret", "Wapsi"):
    column(name, ("Yes - refused", "हाँ", "27-11-2026", "Y/27 Nov", "", "No", "NA"), "hhhhsss")
column("Came back", ("Yes - refused", "27-11-2026"), "ss", status="RTO Delivered")
for name in ("Receiver Name", "Received By", "Receiver", "Delivered To"):
    cells = ("Refused", "Not delivered", "NA - refused", "Returned", "Rejected by customer")
    column(name, (*cells, "Ravi", "Not available", "Customer", "Noton Returna"), "hhhhhssss")
column("Receiver Name", ("Refused", "Not delivered"), "ss", status="RTO Delivered")
for name in ("Verification", "Call Status", "Seller status", "Customer Says"):
    column(name, (*["Delivered"] * 5, "Undelivered"), "sssssh")
    ends = "sssh" if name == "Customer Says" else "ssss"
    column(name, ("Done", "Connected", "Verified", "Undelivered"), ends)
for name in ("Payment Status", "Previous Call Status", "Customer Remarks"):
    column(name, (*["Delivered"] * 5, "Undelivered"), "ssssss")
column("Delivery Confirmed", ("No", "Yes", "", "N", "26-11-2026"), "hsshs")
for name in ("Void", "Do not update", "Test", "Is Test", "Dummy Order", "Reverted"):
    column(name, ("Yes", "No", "", "Blood", "x", "Y"), "hssshh")
column("Void", ("Yes", "No"), "hs", status="RTO Delivered")
for name in ("Is Partial Delivery", "Partial", "Part Delivery", "Short Delivery"):
    column(name, ("Yes", "No", "", "0", "200"), "hssss")
column("Partial", ("Yes", "No"), "ss", status="RTO Delivered")
for name in ("Pieces Delivered", "Delivered/Total", "Qty Delivered"):
    column(name, ("1 of 3", "1/3", "3 of 3", "3/3", "2", ""), "hhssss")
for name in ("Journey", "Flow", "Trip Type"):
    cells = ("Seller to Customer", "Customer to Seller", "C2S", "Cust to WH", "Hub to Seller")
    column(name, cells, "shhhh")
column("To", ("Seller", "Customer", "Seller Warehouse", "Ravi Merchant"), "hshs")
column("Drop To", ("Seller", "Customer"), "hs")

# Cancelled, taken out, or not all there.
for name in ("Cancellation Date", "Cancellation Time", "Date of Cancellation", "Cancel Date"):
    column(name, ("27/11/2026", "", "NA", "00-00-0000"), "hsss")
column("Cancellation Date", ("27-11-2026", ""), "ss", status="RTO Delivered")
column("Cancellation Policy", ("7 days", "No"), "ss")
column("Delivery Verified", ("No", "Yes", "", "N"), "hssh")
for name in ("OTP Verified", "Verified", "OTP", "Address Verified"):  # few deliveries have one
    column(name, ("No", "Yes", ""), "sss")
for name in ("Deleted", "Is Deleted", "Delete Flag", "Ignore", "Ignore Row", "Skip", "Excluded"):
    column(name, ("Yes", "No", "", "Y", "0", "Ignored weight"), "hsshss")
for name in ("Short", "Short Qty", "Shortage", "Damaged Qty", "Missing Pieces", "Lost Boxes"):
    column(name, ("1", "0", "", "2.0", "0.00", "NA", "None"), "hsshsss")
column("Short Qty", ("1", "0"), "ss", status="RTO Delivered")
for name in ("Undelivered Qty", "Cancelled Pcs", "Pending Qty", "Refused Units"):
    column(name, ("1", "0", ""), "hss")
column("Delivered Qty", ("0", "1", "", "2"), "hsss")
column("Delivered Qty", ("0", "0"), "ss")  # nobody fills it in
for name in ("Not Received", "Customer Denied", "Mis-delivered", "Fake POD", "Customer Refused"):
    column(name, ("Yes", "No", ""), "hss")
column("Received by Customer", ("No", "Yes", ""), "hss")
for name in ("Wrong Status", "Mismatch"):
    column(name, ("Yes", "No", ""), "hss")
for name in ("Upload", "To be updated", "Include?", "Push to Fynd", "Status Match", "Correct?"):
    column(name, ("No", "Yes", "", "uploaded", "N"), "hsssh")
for name in ("Current Status", "Sub Status"):
    cells = ("Undeliverd", "un-delivered", "Not deliverd", "In Trasit", "RTO Intiated", "zz", "")
    column(
        name, (*cells, "Deliverd", "Completed", "Shipment Delivered", "Delivered"), "hhhhhssssss"
    )
for name in ("Short Name", "Shortage Amount", "Damaged", "Item Weight"):
    column(name, ("1", "0"), "ss")
for name in ("Remark", "Remarks", "Reason", "Comments 2"):
    cells = ("Delivered to Warehouse", "DELIVERED TO VENDOR.", "Delivered to the seller")
    cells += ("Returned to seller", "Delivered to Security", "Delivered to Warehouse Road Pune")
    cells += ("Customer will return to seller", "Handed over to shipper", "Back to origin")
    column(name, cells, "hhhhssshh")
column("Remarks", ("Delivered to Warehouse", "Delivered to seller"), "ss", status="RTO Delivered")
column("Remarks", ("Returned", "Returned", "Returned", ""), "ssss", status="RTO Delivered")
column("Remarks", ("Returned", "Returned", "Returned", ""), "ssss", status="Return Delivered")
column("Remarks", ("Returned", "Returned", "Returned", ""), "hhhs")
column("Sub Status", ("Delivered to Warehouse", "Delivered to vendor", "Delivered to home"), "hhs")

for name in ("Reference", "Ref #", "Customer Ref", "Cust Ref", "Shipper Reference", "Client Ref"):
    for number in ("", " No", " Number") if " " in name and "#" not in name else ("",):
        if " " not in name or number or "#" in name:
            said = [f"{name}{number},AWB,Status", "FY1,W100,Delivered", "FY2,W101,In Transit"]
            FILES[f"the order id: {name}{number}"] = (said, "sh")
for name in ("Reference Number", "Ref Number", "Ord No", "Order Number", "Sub Order No"):
    FILES[f"the order id: {name}"] = ([f"{name},AWB,Status", "FY1,W100,Delivered"], "s")

# Harmless, as couriers and brands write it.
for name in ("UPI Status", "Recon Status", "Ewaybill Status", "Calling Status", "Exchange Status"):
    column(name, ("Failed", "Done", "Partial", "Cancelled", "Rejected"), "sssss")
for name in ("Portal Status", "Status as on 28 Nov", "Panel Status"):
    column(name, ("Undelivered", "Delivered", "Delivered"), "hss")
for name in ("RTO Assured", "RTO Shield", "Reverse QC Enabled", "RTO TAT Breach", "RTO Preference"):
    column(name, ("Yes", "No", "Yes"), "sss")
column("Return Type", ("courier_return", ""), "ss", status="RTO Delivered")
column("Return Type", ("Courier Return", ""), "hs")
RETURNED = (
    "Return Date",
    "Return Initiated On",
    "Returned At",
    "Return AWB",
    "Return Docket No",
    "Return Received",
    "Return Inward Date",
    "Returned",
    "Return Flag",
    "Return",
)
for name in RETURNED:
    filled = (
        "46000099881"
        if "No" in name or "AWB" in name
        else "28-11-2026"
        if "Date" in name
        else "Yes"
    )
    column(name, (filled, "", filled), "sss", status="RTO Delivered")
    column(name, (filled, "", filled), "hsh")
column("Return Status", ("Received", "RTO Delivered", ""), "sss", status="RTO Delivered")
for name in ("Is Reverse", "RVP", "Customer Return"):
    column(name, ("Yes", ""), "hs", status="RTO Delivered")
column("RTO Status", ("Delivered", "RTO Delivered", ""), "sss", status="RTO Delivered")
column("RTO Status", ("Delivered", "", ""), "hss")
for name in ("Delivered Date", "POD Date", "Delivered On"):
    for word in ("Not delivered", "Awaited", "30-11-2026 (expected)"):
        column(name, (word, "27-11-2026", ""), "hss")
    column(name, ("Pending", "Pending", ""), "sss")  # nobody fills it in
column("Expected Delivery Date", ("Pending", "27-11-2026"), "ss")
# Columns that deny a pickup, a return or an RTO; and others of another step, or of none.
for name in ("Return Lost", "Lost", "Cancelled", "Return Cancelled", "Disputed", "Seller Refused"):
    column(name, ("Yes", "No", ""), "hss", status="Return Delivered")
for name in ("Received at WH", "Return Received", "Seller Accepted"):
    column(name, ("No", "Yes", ""), "hss", status="Return Delivered")
for name in ("Return Cancelled", "Cancelled", "Pickup Failed", "Customer Refused Pickup"):
    column(name, ("Yes", "No", ""), "hss", status="Return Picked Up")
for name in ("QC Status", "Doorstep QC", "Pickup Status"):
    column(name, ("Failed", "Passed", ""), "hss", status="Return Picked Up")
column("Sub Status", ("QC failed at doorstep", "QC done"), "hs", status="Return Picked Up")
column("Return Status", ("Rejected", "Cancelled", "Accepted"), "hhs", status="Return Delivered")
for name in ("Fake RTO", "RTO Refused", "Refused by Seller"):
    column(name, ("Yes", "No", ""), "hss", status="RTO Delivered")
for name in ("RTO Accepted", "Received by Seller"):
    column(name, ("No", "Yes", ""), "hss", status="RTO Delivered")
column("Sub Status", ("RTO Received", "RTO Revoked", ""), "shs", status="RTO Delivered")
column("Received Qty", ("0", "1", ""), "hss", status="Return Delivered")
column("Received Qty", ("0", "0", ""), "sss", status="Return Delivered")  # nobody counts there
for name in ("Cancelled", "Fake Pickup"):
    column(name, ("Yes", "No", ""), "hss", status="Picked Up")
column("Shipped", ("No", "Yes", ""), "hss", status="Picked Up")
column("Shipped", ("No", "No", ""), "sss", status="Picked Up")  # a store's system is behind
column("Lost", ("Yes", "No"), "ss", status="Picked Up")  # after that
column("QC Status", ("Failed", "Passed"), "ss", status="Return Delivered")  # and there
column("Pickup Failed", ("Yes", "No"), "ss", status="Return Delivered")  # at first
column("Refund Status", ("Cancelled", "Rejected"), "ss", status="Return Delivered")
column("RTS Status", ("Returned", "RVP", ""), "shs", status="RTO Delivered")
column("RTS Status", ("Returned", "", ""), "hss")
column("Courier Status", ("Delivered", "Undelivered"), "sh", status="Return Delivered")
column("Bucket", ("Undelivered", "RTO Delivered", "Lost"), "shh", status="Picked Up")
for name in ("WMS Status", "Packing Status", "Fynd Status", "OMS Status"):
    column(name, ("Packed", "Dispatched", "bag_picked", "In Transit", "Manifested"), "sssss")
    column(name, ("RTO Delivered", "Delivered", "Delivered"), "hss")
for name in (
    "WhatsApp Status",
    "Message Status",
    "Webhook Status",
    "Push Status",
    "Financial Status",
):
    column(name, ("Delivered", "Undelivered", "Failed", "Lost"), "ssss")
column("Delay Status", ("Delayed", "On Time"), "ss")
for name in ("Delivered/RTO", "RTO / Delivered", "Delivered or RTO"):
    column(name, ("Delivered", "Delivered", "RTO"), "ssh")
column("Delivered/RTO Date", ("27-11-2026", "26-11-2026"), "ss")
column("Bucket", ("RTO", ""), "ss", status="RTO Delivered")
column("Bucket", ("RTO", "Delivered"), "hs")
for name in ("Bucket", "Final Status"):
    column(name, ("In Transit", "Intransit", "Picked Up"), "sss", status="Picked Up")
column("Remark 3", ("Shipment delivered to consignee after failed attempt",), "s")
column(
    "Status Description",
    ("Shipment delivered to consignee after failed attempt", "Delivered"),
    "ss",
)


# A time of the row's own milestone that is too old or lies ahead, beside a fresh one.
for name in ("Delivered Date", "POD Date", "Delivered On"):
    column(name, ("12-01-2025", "30-12-2026", "26-11-2026", "", "NA", "11/26/2026"), "hhssss")
column("Delivery Date", ("12-01-2025", "05-12-2026", "26-11-2026"), "hss")  # promised
column("Delivered Date", ("12-01-2025", ""), "ss", status="RTO Delivered")
column("RTO Delivered Date", ("12-01-2025", "26-11-2026"), "hs", status="RTO Delivered")
for name in ("Last Delivered Date", "Account Status Date", "Status Since Date", "Sale Event Date"):
    column(name, ("12-01-2025", "26-11-2026"), "ss")
for name in ("POD Submission Date", "Status Review Date", "Delivered Payout Date"):
    column(name, ("09-12-2026", "26-11-2026"), "ss")
column("Pickup Date", ("12-01-2025", "05-12-2026"), "hs", status="Picked Up")
column("Pickup Date", ("12-01-2025", ""), "ss")
for name in ("Order Date", "Invoice Date", "Booking Date", "Failed Delivery Date", "Upload Date"):
    column(name, ("12-01-2025", ""), "ss")


# Misspelt, shortened, and Hindi in Latin letters.
column("Shipment Type", ("Forword", "Revers", "Retrun", "Frwd", "Forward"), "shhss")
column("Shipment Type", ("Forward", "Revrese", "RT0", "R/T/O"), "shhh")
column("Shipment Type", ("FW", "RT", "FW"), "shs")
column("Type", ("Frwd", "Rvrs", "Rtrn"), "shh")
column("Type", ("Wapsi", "Forward", "Vapas", "waapas", "Lautaya", "return aaya"), "hshhhh")
column("Type", ("वापिस", "लौटाया", "Forward"), "hhs")
for name in ("Wapas aaya", "RTO hua kya", "Return hua?", "RTO h?", "Vapas"):
    column(name, ("haan", "nahi", "", "Yes"), "hssh")
for name in ("Delivery Done?", "Success", "Delivery Complete", "Recd by cust", "Is Deliverd"):
    column(name, ("No", "Yes", "", "N"), "hssh")
    column(name, ("No", "No"), "ss", status="RTO Delivered")
for name in ("Deliver hua?", "Mila ya nahi", "Customer ko mila"):
    column(name, ("nahi", "haan", "No", ""), "hshs")
for name in ("Undeliverd", "Cancled", "Undel", "Cancelled by customer"):
    column(name, ("Yes", "No", ""), "hss")
for name in ("Payment Success", "Completed", "Delivery", "Call Success", "OTP Success"):
    column(name, ("No", "Yes", ""), "sss")
for name in ("Bucket", "Flag", "Shipment Category", "Class"):
    column(name, ("Undelivered", "Lost", "Not delivered", "Fake", "", "Normal"), "hhhhss")
    column(name, ("Lost", "Normal"), "ss", status="RTO Delivered")
for name in ("NDR Bucket", "Call Category", "QC Flag", "Payment Category", "Previous Bucket"):
    column(name, ("Undelivered", "Not received", "Normal"), "sss")
for name in ("Tag", "Alert", "Marking", "Disposition", "Segment"):
    cells = ("Undelivered", "Lost in transit", "Cancelled", "Fake", "Refused", "Order cancelled")
    column(name, (*cells, "Not delivered but marked delivered", "", "Normal", "Lost & found shop"),
           "h" * 7 + "sss")  # fmt: skip
    column(name, ("Lost", "Refused", ""), "sss", status="RTO Delivered")
# Fates of a paper, a code or an offer, and of an attempt or a day before.
for name in ("POD Copy", "Signature", "Ack", "OTP", "Gift Wrap", "Coupon", "Exchange", "Rating"):
    column(name, ("Not received", "Rejected", "Cancelled", "Refused", "Lost"), "sssss")
column("Documents", ("Undelivered", "Not delivered", "Lost in transit", "Not received"), "hhhs")
for name in ("26-Nov", "26-11-2026", "Day 1", "D-1", "Last", "Last Exception", "Try 1", "WA Msg"):
    column(name, ("Undelivered", "Out For Delivery"), "ss")
for name in ("27-Nov", "28-Nov", "28-11-2026"):
    column(name, ("Undelivered", "Delivered"), "hs")  # of the event's day, or a later one
for name in ("Next Order", "IVR Response", "Agent Disposition"):
    column(name, ("Cancelled", "Refused"), "ss")
column("Issue", ("Not delivered but resolved", "Not delivered but agent called"), "sh")
for name in ("Claim", "Claim Type", "Issue", "Exception", "Customer Voice", "Ticket Subject"):
    cells = ("Lost in transit", "Fake delivery", "Not received", "Not delivered", "Undelivered")
    column(name, (*cells, "Cancelled", "Rejected", "Refused", "Normal"), "h" * 5 + "ssss")
for name in ("Payment", "Refund", "Failure", "Return Request", "NDR", "Product Name", "Brand Name"):
    column(name, ("Cancelled", "Refused", "Lost", "Normal"), "ssss")
for name in ("Pickup Done", "Is Picked", "Picked Up?", "Pickup Successful"):
    column(name, ("No", "Yes", "", "N"), "hssh", status="Picked Up")
    column(name, ("No", "Yes"), "ss")
for name in ("Pickup Cancelled", "Pickup Failed", "Not Picked"):
    column(name, ("Yes", "No", ""), "hss", status="Picked Up")
    column(name, ("Yes", "No"), "ss")
cells = ("Cancelled", "Pending", "Not Picked", "Failed", "Done", "Scheduled", "")
column("Pickup Status", cells, "hhhhsss", status="Picked Up")
column("Pickup Status", cells, "sssssss")
for name in ("Pickup Request", "Pickup", "Pickup Type"):
    column(name, ("No", "Cancelled", "Yes"), "sss", status="Picked Up")
column("Is RTO", ("No", "Yes", ""), "hss", status="RTO Delivered")
column("Is RTO", ("No", "No"), "ss", status="RTO Delivered")  # nobody fills it in
for name in ("RTO Received", "RTO Received by seller", "Received at WH"):
    column(name, ("No", "Yes", "", "N"), "hssh", status="RTO Delivered")
for name in ("RTO Received", "Received at WH"):  # the warehouse books later
    column(name, ("No", "", "NA"), "sss", status="RTO Delivered")
for name in ("RTO Lost", "RTO Disputed", "RTO Cancelled", "RTO Not Received"):
    column(name, ("Yes", "No", ""), "hss", status="RTO Delivered")
column("Account Name", ("FYND SURFACE", "FYND REVERSE", "FyndRvp", "ACME-RTO", ""), "shhhs")
column("Client", ("ACME-RTO", "ACME-RTO"), "ss")
column("Client Name", ("Return Gifts Pvt Ltd", "RTO Traders", "ACME", "Reverse Labs"), "ssss")
column("Account", ("ACME-RTO", "ACME"), "ss", status="RTO Delivered")
for name in ("Latest", "Now"):
    column(name, ("In Transit", "In Transit"), "hh")
    column(name, ("Delivered", "Delivered"), "ss")
    column(name, ("Yes", "No"), "ss")
column("RV Flag", ("true", "false"), "hs", status="RTO Delivered")  # a letter is lost
column("RP Flag", ("Y", "N"), "hs")
for name in ("Retrn Tracking No", "RTO AB", "RTO WB No"):
    column(name, ("46000099881", ""), "hs")
column("Refund Tracking No", ("46000099881", ""), "ss")
column("Is VP", ("Y", "N"), "hs")
for name in ("Is RO", "is_rt", "Is TO", "RT Flag"):
    column(name, ("true", "true", "", "No"), "hhss")
for name in ("RO No", "RT Zone", "RO"):
    column(name, ("12", "true", "", "No"), "ssss")
AWBS_OUT = ("Original AWB", "Fwd AWB", "Ref AWB No", "Forward Tracking Number")
for name in AWBS_OUT:
    column(name, ("7712345678", "", "NA"), "hss")
    column(name, ("7712345678", "7712345679"), "ss")
    column(name, ("W000", ""), "ss")  # the row's own
    column(name, ("7712345678", ""), "ss", status="RTO Delivered")
ONLY_BACK = (
    ("RTO In Scan", "27-11-2026"),
    ("RTO Ageing", "3"),
    ("RTO Days", "3"),
    ("RTO EDD", "30-11-2026"),
    ("Reverse Courier", "Delhivery"),
    ("Return GRN", "G1"),
    ("Seller Received Date", "27-11-2026"),
)
for name, filled in ONLY_BACK:
    column(name, (filled, "", "0"), "hss")
    column(name, (filled, filled), "ss")
    column(name, (filled, ""), "ss", status="RTO Delivered")
    said = ("Delivered", "Delivered", "Picked Up", "Out For Delivery", "RTO Delivered")
    made = [f"A{at},W{at}00,{each},{WHEN}," for at, each in enumerate(said)]
    for at, ends in ((2, "ssshs"), (3, "ssshs"), (4, "hsshs")):  # filled for others, too
        cells = [made[0] + filled, *made[1:]]
        cells[at] += filled
        FILES[f"{name} of a row {said[at]}"] = ([f"{','.join(HEADER)},{name}", *cells], ends)
for name in ("Return Days", "Return Courier", "Return EDD", "RTO TAT Days", "Parent AWB"):
    column(name, ("7", ""), "ss")
for name in ("Return Window Days", "Max RTO Attempts", "Return Days Allowed"):
    column(name, ("7", ""), "ss")
for name in ("Remarks", "Ops Remarks", "Comments 2"):
    cells = ("Not delivered", "Fake delivery!", "Parcel lost in transit", "wrong entry ignore")
    cells += ("RTO delivered to seller", "customer denies delivery", "DO NOT UPDATE", "cancelled")
    column(name, (*cells, "status galat hai"), "h" * 9)
    cells = ("Asked for a return", "Customer refused", "Undelivered", "Not delivered on first try")
    cells += ("do not update the address", "Delivered; was lost in transit", "no fake delivery")
    column(name, cells, "s" * 7)
column("Undelivered", DATES, "hhssshs")
for said in (
    "Customer did not receive the parcel",
    "Cancelled by customer",
    "Not yet delivered",
    "please ignore",
    "wrongly marked delivered",
):
    column("Remarks", (f'"{said}"', "Delivered to customer", ""), "hss")
for said in ("Returned", "Received by seller", "RTO received", "sent back to the seller"):
    column("Remarks", ("ok", said), "ss", status="RTO Delivered")
    column("Remarks", ("ok", said.replace("RTO", "Return")), "ss", status="Return Delivered")
cells = ("Received at warehouse", "Picked up from customer", "Accepted by courier")
column("Remarks", cells, "sss", status="Picked Up")
cells = ("Customer coming back tomorrow", "cash received back", "RTO initiated", "Will return")
cells += ("Refused; then accepted", "Left with guard; he returned the call", "Out for delivery")
cells += (
    "Returned to seller warehouse bay 22",
    '"Customer refused, coming back"',
)  # it mentions one
column("Remarks", cells, "s" * 9)
cells = (
    "RTO cancelled",
    "Coming back from office at 6",
    "Not at home; returned later",
    "RTO at risk",
)
cells += (
    "wapas call kiya",
    "Returned to customer",
    "customer returned from a trip",
    "marked delivered",
)
column("Remarks", cells, "s" * 8)
for name in ("Accepted By", "Signed By", "Relation", "Delivery Location", "Recipient Type"):
    column(name, ("Seller", "Customer", "Origin Towers", "Store"), "hsss")
    column(name, ("Seller", "Customer"), "ss", status="Return Delivered")
for name in ("Received by Seller", "Seller Recd", "Going back", "Back to WH"):
    column(name, ("Yes", "No", ""), "hss")
for name in ("Source File", "Sheet Name"):
    cells = ("RTO_28", "rto_mis_28.csv", "delhivery_rto.xlsx", "FWD_28", "Delivered & RTO.csv")
    column(name, cells, "hhhss")
    column(name, ("ndr_rto_27.csv", "ndr_rto_28.csv"), "ss")  # lists of both
    column(name, ("RTO_28", "FWD_28"), "ss", status="RTO Delivered")
for name in ("Correct Status", "Revised Status", "Status as per courier"):
    column(name, ("Undelivered", "In Transit", "RTO", "", "Delivered", "ok"), "hhhsss")
for name in ("Report Date", "As on Date", "Customer Recd Date", "Time Stamp", "OFD Date"):
    text = [f"Order ID,AWB No,Status,{name}", "A0,W0,Delivered,12-01-2025"]
    FILES[f"old by its {name}"] = ([*text, "A1,W1,Delivered,27-11-2026"], "hs")
column("Undelivered", ("28-Nov-2026", "Yes", "No"), "hhs")
column("Mode", ("RT", "Air", "Surface"), "sss")  # by road
column("Season", ("FW", "SS"), "ss")
for name in ("Type", "Category", "Class"):
    column(name, ("Reserve", "Regular", "Forwarded", "Refill", "Retail", "Reversible"), "ssssss")


def lines(name: str, text: str, ends: str) -> None:
    """Add a file; A0, A1 … stand for rows that say Delivered, B0 and C0 for others."""
    made = []
    for line in text.splitlines():
        said = {
            "A": "Delivered",
            "B": "RTO Delivered",
            "C": "Return Delivered",
            "D": "Picked Up",
        }.get(line[:1])
        is_row = said is not None and line[1:].isdigit()
        made.append(f"{line},W{line},{said},{WHEN}" if is_row else line)
    FILES[name] = (made, ends)


for misspelt in ("Is Revere Shipment", "is_retun", "Returnd Flag", "Is Canelled"):
    column(misspelt, ("TRUE", "FALSE", "FALSE"), "hss")
for other in ("Is Returnable", "Is Reversible", "Is Refunded", "Is Reserved"):
    column(other, ("TRUE", "FALSE", "FALSE"), "sss")
column("Satus", ("Delivered", "#N/A", "NULL", ""), "shhs")
column("Client Status", ("Delivered", "#N/A", ""), "sss")
TITLES = ",".join(HEADER)
for heading in ("Last Updated (RTO)", "Last Updated - RTO", "Last Scan Date (Return)"):
    lines(f"times of another way: {heading}", f"Order ID,AWB No,Status,{heading}\nA0\nA1", "hh")
lines("a firm's name", f"Client,Return Gifts Pvt Ltd\n{TITLES}\nA0\nA1", "ss")
lines("a firm's returns", f"Return Gifts Pvt Ltd: returns\n{TITLES}\nA0\nA1", "hh")
lines("a part of a town", f"{TITLES}\nPUNE\nA0\nRETURN NAGAR\nA1\nBACK BAY\nA2", "hshshs")
_ROW = f"A0,W1,Delivered,{WHEN}"
lines("a short row without its way", f"{TITLES},City,Is RTO\n{_ROW},Pune,No\nA1\nA2", "shh")
lines("a short row", f"{TITLES},Is RTO,City\n{_ROW},No,Pune\nA1,W2,Delivered,{WHEN},No", "ss")
for heading, ends in (
    ("Pickup Date", "hssss"),
    ("Booked On", "hssss"),
    ("Next Pickup Date", "sssss"),
):
    days = ("20-11-2026", "12-11-2026 18:00", "02-11-2026", "", "11/12/2026")
    cells = "\n".join(
        f"A{at},W{at}00,Delivered,10-11-2026 10:00,{day}" for at, day in enumerate(days)
    )
    lines(f"begun after its end: {heading}", f"{TITLES},{heading}\n{cells}", ends)
lines("times of a step", "Order ID,AWB No,Status,Last Updated (Pickup)\nA0\nD1", "ss")
lines("a title far above", f"RTO Report for November\nACME\nBy,Ravi\n\n{TITLES}\nA0\nB1", "hs")
lines("a title in two cells", f"Report Type,Reverse Pickups\nPeriod,Nov\n\n{TITLES}\nA0", "h")
lines("a title with a stray byte", f"Rever\0se Pickups\n\n{TITLES}\nA0", "h")
lines("a title with a stray byte between rows", f"{TITLES}\nA0\nRever\u200bse Pickups\nB1", "shh")
lines("a title of both", f"Forward & RTO MIS\n\n{TITLES}\nA0\nB1", "ss")
lines("a title of cancelled ones", f"Cancelled shipments\nACME,Pune\n\n{TITLES}\nA0\nB1", "hs")
lines("a title of what is not there", f"RTO excluded\n\n{TITLES}\nA0", "s")
lines("a request above", f"Please return this sheet by 5 pm\n{TITLES}\nA0", "s")
lines("a note above", f"Please tell us of any RTO by the 5th of the month\nx,y\n{TITLES}\nA0", "s")
for title in (
    "RTO & Delivered report",
    "Delivered + RTO",
    "RTO & DEL",
    "Daily RTO / Delivery Report",
    "Delivered / RTO / NDR status as on 29-Nov-2026",
    '"Status Filter: Delivered, RTO Delivered, In Transit"',
    '"Delivered: 40, RTO: 8, Pending: 12"',
    "Total,40\nDelivered,24\nRTO,8\nPending,8",
    "Thanks & Regards, RTO Desk",
    "Team: RTO & Returns, Mumbai",
    "RTO % - 12",
    "In case of lost shipments claim is raised",
    "For disputed deliveries write to ops@acme.example",
):
    lines(f"above: {title}", f"{title}\n{TITLES}\nA0\nB1", "ss")
for title in (
    "RTO",
    "Note: RTO in red",
    "100% RTO",
    "RTO delivered & lost",
    "RTO report, delivered",
    "RTO 8",
    "RTO: 8",
    "RTO,28",
    "Total,40\nRTO,list",
    '"Status Filter: RTO Delivered, RTO In Transit"',
    '"Red = RTO, Green = Delivered"',
):
    lines(f"above: {title}", f"{title}\n{TITLES}\nA0\nB1", "hs")
for on_its_way, ends in (("Undelivered", "ssh"), ("In Transit", "hsh")):
    FILES[f"own AWBs beside {on_its_way}"] = (
        [
            f"{TITLES},RTO AWB",
            f"A1,W1000001,Delivered,{WHEN},W1000001",
            f"A2,W2000002,RTO Delivered,{WHEN},W2000002",
            f"A3,W3000003,{on_its_way},{WHEN},W3000003",
        ],
        ends,
    )

# Footers are no rows; the rest of a row is one, and so is what says something of rows.
lines("a summary below", f"{TITLES}\nA0\nB1\nDelivered,30,,\nRTO,5,,\nGrand Total,35,,", "ss")
lines("a signature below", f"{TITLES}\nA0\nB1\nRegards,,,\nAsha,Logistics Team,,", "ss")
lines("a row without its status", f"{TITLES}\nA0\nFYA9,W900011,,", "sh")
lines("a lone status below", f"{TITLES}\nA0\nRTO Delivered,,,", "sh")
MIXED = ("A0", "B1", "D2", f"A3,W3,Undelivered,{WHEN}", "A4")
for title, ends in (("RTO report", "ssshs"), ("Returns", "hhhhh")):
    text = "\n".join((title, TITLES, *MIXED))
    lines(f"above statuses that tell: {title}", text, ends)
for title, ends in (
    ('"Shipment status (Delivered, RTO, In transit)"', "ss"),
    ("Undelivered & RTO", "hs"),
    ("Not Delivered and RTO cases", "hs"),
    ("Non-delivered & RTO", "hs"),
    ("RTO & delivery failed", "hs"),
    ("Delivered / Undelivered / RTO report", "ss"),
    ("RTO: Delivered / Undelivered", "hs"),
    ('"Shown as delivered, not delivered"', "hs"),
    ('"Delivered, RTO"', "hs"),
):
    lines(f"above, a list: {title}", f"{title}\n{TITLES}\nA0\nB1", ends)
lines("a stray sign below a section", f"{TITLES}\nA0\nRTO SHIPMENTS,,,\n\x92,,,\nA1", "shhh")
lines("a stray letter below a section", f"{TITLES}\nA0\nRTO SHIPMENTS,,,\né,,,\nA1", "shhh")
lines("shifted: a count for the id", f"{TITLES}\nA0\n2,W1,Delivered,{WHEN}", "sh")
lines("serial numbers alone", f"{TITLES}\n1,W1,Delivered,{WHEN}\n2,W2,Delivered,{WHEN}", "ss")
SOUND = [f"1778804370020800{at}471,36000208{at},Delivered,{WHEN}" for at in (1000, 2000, 3000)]
for words, ends in (("near temple", "sssh"), ("", "ssss")):
    shifted = f"360002084000,{words},Delivered,{WHEN}"
    lines(f"shifted: {words}", "\n".join((TITLES, *SOUND, shifted)), ends)
lines("a section in two cells", f"{TITLES}\nA0\nSection,RTO,,\nA1\nB2", "shhs")
lines("a section in Hindi", f"{TITLES}\nA0\nरिवर्स पिकअप,,,\nA1\nफॉरवर्ड,,,\nA2", "shhhs")
lines("a section in Tamil", f"{TITLES}\nA0\nதிரும்பப் பெறுதல்,,,\nA1", "shh")
for word in ("Wapsi", "Vapas", "Wapas aaya maal"):
    lines(f"a section {word}", f"{TITLES}\nA0\n{word},,,\nA1", "shh")
lines("a section of lost ones", f"{TITLES}\nA0\nLost shipments,,,\nA1\nB2", "shhs")
for note, ends in (
    ("Note: the above shipments are RTO", "hh"),
    ("All shipments in this file are reverse pickups", "hhh"),
    ("These orders were cancelled,,,", "hhh"),
    ("ऊपर के सभी RTO हैं", "ssh"),  # the words around are not read
    ("All returns are accepted within 7 days", "ssh"),
    ("Note: the above are subject to our return policy", "ss"),
    ("Total RTO are 0", "ss"),
    ("A0 is RTO", "hhh"),
    ("Row 2 to 3 are RTO", "hhh"),
    ("ye sab RTO hai,,,", "hhh"),
    ("Please do not process these as delivered", "hhh"),
    ("RTO shipments: 5", "ssh"),
    ("RTO", "ssh"),
):
    lines(f"below: {note}", f"{TITLES}\nA0\nA1\n{note}", ends)
for note, ends in (
    ("The above are all RTO", "hhs"),
    ("All shipments below are RTO", "shh"),
    ("All the following are RTO", "shh"),
    ("All these orders are RTO as follows", "shh"),
    ("All of the above are RTO and all below are RVP", "hhh"),
    ("These are RTO shipments", "hhh"),
    ("This list is for RTO", "hhh"),
    ("These are forward shipments", "shs"),
    ("The following are RTO", "shh"),
    ("A0 is RTO", "shh"),
):
    lines(f"between: {note}", f"{TITLES}\nA0\n{note},,,\nA1", ends)
AGAINST = (
    "FYA1003 cancelled",
    "FYA1003 not delivered",
    "FYA1003: customer says not received",
    "*FYA1003 rejected by customer",
    "FYA1003 and FYA1004 wrong entry",
    "ignore FYA1003",
    "delete FYA1003",
    "FYA1003 to be removed",
    "FYA1003 galat hai",
    "sab wapas aa gaye",
    "All above came back to our warehouse",
    "All pending",
    "rest are pending",
    "only first 2 delivered",
    "kindly ignore above",
    "DO NOT UPLOAD",
    "test data only",
    "NB: FYA1003 came back",
    "FYA1003 is with the seller",
    "FYA1003 not confirmed",
    "Row 3 wrong",
    "2nd row cancelled",
    "All assumed delivered",
    "Statuses are not final",
    "Tentative status",
    "yeh sab galat hai",
    "update mat karna",
)
for note in AGAINST:
    lines(f"below: {note}", f"{TITLES}\nA1003\nA1004\n{note}", "hhh")
# Where the sheet's own statuses tell which rows came back, a legend says nothing more.
for note in (
    "Red = RTO",
    "Yellow = RTO, Green = Delivered",
    "RTO cases highlighted in red",
    "* RTO Delivered means received at Bhiwandi WH",
    "Red = RTO SLA breach",
    "* RTO",
):
    lines(f"told apart, above: {note}", f'"{note}"\n{TITLES}\nA0\nB1\nD2', "sss")
    lines(f"told apart, right: {note}", f'{TITLES},,"{note}"\nA0\nB1\nD2', "sss")
column("*,RTO_AWB", ("checked,", "ok,", ","), "sss")
column("*,is_rvp", ("checked,0", "ok,0", ",0"), "sss")
lines("told apart, below: Red = RTO", f"{TITLES}\nA0\nB1\nD2\n\nRed = RTO", "sssh")
lines("a legend hides no note", f"{TITLES},,Red = RTO\nA0\nB1\nD2\nDO NOT UPLOAD", "hhhh")
lines("told apart, but cancelled", f"Red = Cancelled\n{TITLES}\nA0\nB1\nD2", "hss")
for note in (
    "* RTO charges extra",
    "*RTO AWB shared separately",
    "* Report excludes RTO and cancelled shipments",
    "Orange = invoice cancelled",
    "Pink = Exchange cancelled",
):
    lines(f"a footnote: {note}", f"{note}\n{TITLES}\nA0\nB1", "ss")
lines("a footnote of rows", f"* These are RTO shipments\n{TITLES}\nA0\nB1", "hs")
LEGENDS = (
    "Red = RTO",
    "RTO = highlighted",
    "Legend: Red - Cancelled",
    "Orders in yellow not delivered",
    "* RTO",
    "yellow: returned",
    "Rows in red came back",
    "Red = RTO / Green = Delivered",
    "Red,RTO",
    "Yellow,Cancelled",
)
for note in LEGENDS:
    lines(f"below: {note}", f"{TITLES}\nA1003\nA1004\n\n{note}", "hhh")
    lines(f"right: {note}", f"{TITLES},,{note}\nA1003\nA1004", "hh")
lines("below: Note: RTO in red", f"{TITLES}\nA1003\nA1004\nNote: RTO in red", "hh")
lines("between: Red = RTO", f"{TITLES}\nA1003\nRed = RTO\nA1004", "hhh")
pad = "Delivered," + WHEN
lines(
    "beside a row: Red = RTO",
    f"{TITLES},,\nA1003,W9,{pad},,\nA1004,W8,{pad},,Red = RTO\nA1005,W7,{pad},,",
    "hhh",
)
lines("right: Green = Delivered", f"{TITLES},,Green = Delivered\nA1003\nA1004", "ss")
for note, ends in (  # words that say nothing of the rows are a footer
    *(("Green = Delivered", "ss"), ("Yellow = COD", "ss"), ("Kindly check and confirm", "ss")),
    *(("Legend: RTO - Return to Origin", "ssh"), ("For any query write to ops@acme.in", "ss")),
    *(("Red Tape Returns Desk", "ssh"), ("Blue Dart RTO report", "ssh"), ("FY A1005", "ssh")),
):
    lines(f"below: {note}", f"{TITLES}\nA1003\nA1004\n{note}", ends)
for line, ends in (
    *(("Delivered", "ssh"), ("RTO Delivered", "ssh"), ("Total shipments: 40", "ss")),
    *(("Thanks & Regards", "ss"), ("*End of report*", "ss"), ("Pune Hub", "ssh")),
):
    lines(f"below, under the status: {line}", f"{TITLES}\nA1003\nA1004\n,,{line},", ends)
for note in (AGAINST[4], AGAINST[5], "DO NOT UPLOAD"):
    lines(f"first: {note}", f"{note}\n{TITLES}\nA1003\nA1004", "hh")
for note in (AGAINST[0], AGAINST[5], "DO NOT UPLOAD"):
    lines(f"between: {note}", f"{TITLES}\nA1003\n{note}\nA1004", "hhh")
lines("below: delete of an end", f"{TITLES}\nB1003\ndelete FYB1003", "hh")
lines("below: cancelled beside an end", f"{TITLES}\nB1003\nFYB1003 cancelled", "sh")
for note in (
    "Manifest MN1003 of 27Nov2026",
    "Do not reply to this mail",
    "Please ignore this mail if you are not concerned",
    "Do not change the headings",
    "Sample orders",
    "Delivered only",
    "All delivered",
    "Row 3 corrected",
    "FYA1003 confirmed",
    "Verified with courier",
    "Expected Delivery",
    "Pending remittance INV10034",
    "Report of 27-11-2026 pending approval",
):
    ends = "ssh" if note.startswith("FYA") else "ss"
    lines(f"below: {note}", f"{TITLES}\nA1003\nA1004\n{note}", ends)
lines(f"first: {note}", f"{note}\n{TITLES}\nA1003\nA1004", "ss")
lines("a note on what ends", f"{TITLES}\nA0\nThese are RTO,,,\nA1\nForward,,,\nA2", "hhhhs")
for word in (
    "RT\ufffd shipments",
    "FOR\u00e9WARD",
    "R?O",
    "RTÓ",
    "Cancélled",
    "Und\ufffdelivered orders",
):
    lines(f"a damaged section: {word}", f"{TITLES}\nA0\n{word},,,\nA1", "shh")
lines("a question", f"{TITLES}\nA0\nDid José ask for Café orders?,,,\nA1", "shs")
for rest, ends in (
    ("Undelivered,,,", "shshh"),  # of a row that is shifted: the section goes on
    ("A9,,,", "shshh"),
    ("RTO-9123,,,", "shshh"),
    ("W77100,,,", "shshh"),
    ("27-11-2026,,,", "shshh"),
    ("Delivered,,,", "shshh"),
    ("Delivered shipments,,,", "shshs"),
):
    lines(f"between: {rest}", f"{TITLES}\nA0\nFORWARD,,,\nA1\n{rest}\nC2", ends)
lines("a rest below a way back", f"{TITLES}\nA0\nRTO,,,\nB1\nA9,,,\nA2\nFORWARD,,,\nA3", "shshhhs")
ROWS = "\n".join(f"A10{at}" for at in range(1, 7))
for title, listed, ends in (
    ("RTO", "FYA101,,,\nFYA103,,,", "hshsss"),
    ("Cancelled orders", "FYA101\nFYA103", "hshsss"),
    ("RTO", "FYA901,,,\nFYA902,,,", "ssssss"),
    ("Delivered", "FYA101,,,\nFYA103,,,", "ssssss"),
):
    made = [TITLES, *(f"FY{row},W{row},Delivered,{WHEN}" for row in ROWS.split())]
    FILES[f"below: a list of {listed.split()[0]}, {title}"] = (
        [*made, f"{title},,,", *listed.split()],
        ends + "hhh",
    )
column("RTO list", ("W200", "", "", "W100"), "shhs")
column("RTO AWBs", ("W200", "", "", "W900"), "sshs")
column("Replaced AWBs", ("W200", "", "", "W300"), "ssss")
for name in ("Exchange/Return Order", "Replacement of Cancelled Order", "RTO Invoice"):
    column(name, ("W200", "", "", "W300"), "ssss")
for title in (
    *("Customer denied", "Not confirmed", "Marked delivered by mistake", "Hold", "Escalated"),
    *("Delivered in system but physically with us", "Received back at WH", "Please ignore"),
    *("delivery nahi hui", "customer ko nahi mila", "To be verified"),
    *("Delivery failed", "To be delivered", "Refused"),
):
    lines(f"a section: {title}", f"{TITLES}\nA0\n{title},,,\nA1", "shh")
for title in ("Delivered today", "Confirmed", "Household", "Received by customer", "Verified"):
    lines(f"a section: {title}", f"{TITLES}\nA0\n{title},,,\nA1", "shs")
lines("a note first", f"{TITLES}\nThese are RTO shipments,,,\nA0\nB1", "hhs")

# A spreadsheet shows a date of this year without its year.
dates = ("27-Nov", "27 Nov 10:15", "27-november", "Nov-27", "27/11", "31-Feb", "27-Xyz")
FILES["dates without a year"] = (
    [TITLES, *(f"D{at},WD{at},Delivered,{when}" for at, when in enumerate(dates))],
    "ssshhhh",
)

for second, ends in ((5, "h" * 11), (1, "s" * 6 + "h")):
    text = [TITLES, *(f"FYE{at},99{at:06},Delivered,{WHEN}" for at in range(6))]
    text += [f"9911{at:04},FYE9{at},Delivered,{WHEN}" for at in range(second)]
    FILES[f"{second} rows of a second table, id and AWB the other way round"] = (text, ends)
for ids, ends in (
    ("FYA1001-RTO FYA1002 rto-FYA1003 FYA1004_RVP FYA1005-RTO1 FYA1006-B", "hshhhs"),
    ("FYA1001-RET FYA1002 RET-FYA1003", "hsh"),
    ("RET-1001 WHS-1002", "ss"),
    ("RET-FYA1001 RET-FYA1002", "ss"),  # a shop's own
    ("FYRTO1001 PORTO-1002", "ss"),
):
    of_ids = [f"{each},W{at}00,Delivered,{WHEN}" for at, each in enumerate(ids.split())]
    FILES[f"order ids {ids}"] = ([TITLES, *of_ids], ends)
    of_awbs = [f"A{at},{each},Delivered,{WHEN}" for at, each in enumerate(ids.split())]
    FILES[f"AWBs {ids}"] = ([TITLES, *of_awbs], ends)

# A tracker has a column for each day: the last one that is filled is the row's.
for days in ("Mon,Tue,Wed", "27-Nov Status,28-Nov Status,29-Nov Status", "Day 1,Day 2,Day 3"):
    column(days, ("In Transit,Undelivered,Delivered", ",Undelivered,", "OFD,Delivered,"), "shs")
    column(days, ("Undelivered,RTO Initiated,Delivered", "OFD,Delivered,Undelivered"), "hh")
    column(days, ("Undelivered,RTO Initiated,RTO Delivered",) * 2, "ss", status="RTO Delivered")
column("Wed,Tue,Mon", ("Delivered,Undelivered,OFD", "Undelivered,Delivered,"), "sh")

column("Status Group", ("In Transit", "RTO"), "sh", status="Return Picked Up")
column("Status Group", ("In Transit", "Return Delivered"), "hs", status="Return Delivered")

# A parcel that the seller has is an RTO, or a customer's return.
for cell in ("Returned to seller", "Delivered back to merchant"):
    column("Sub Status", (cell,) * 3, "sss", status="Return Delivered")
column("Sub Status", ("RTO - returned to seller",) * 3, "hhh", status="Return Delivered")
column("Sub Status", ("Returned to seller",) * 3, "hhh", status="Picked Up")

# A second AWB that is the row's own says nothing where parcels on their way have theirs, too.
for heading in ("RTO AWB", "RTO Waybill No", "Return AWB"):
    for on_its_way, end in (("W3", "s"), ("", "h")):
        FILES[f"{heading}, {on_its_way or 'none'} of a parcel on its way"] = (
            [
                f"{TITLES},{heading}",
                f"A1,W1000001,Delivered,{WHEN},W1000001",
                f"A2,W2000002,Delivered,{WHEN},R2000002",
                f"A3,W3000003,Out For Delivery,{WHEN},{on_its_way and 'W3000003'}",
            ],
            f"{end}hh",
        )

FILES["an RTO AWB of an RTO"] = ([TITLES, f"A1,W1-RTO,RTO Delivered,{WHEN}"], "s")

# A cell was put in, as a spreadsheet lets one: the rest of the row is one column further right.
PUSHED = "Order ID,AWB No,Type,Status,Promise Date,EDD,"
text = [PUSHED, *(f"A{at},W{at}00,Prepaid,Delivered,25-11-2026,2026-11-26," for at in range(3))]
FILES["a status put in"] = (
    [*text, "A9,W900,COD,RTO Delivered,Delivered,25-11-2026,2026-11-26"],
    "sssh",
)
FILES["a note beside the rows"] = (
    [*text, "A9,W900,COD,Delivered,25-11-2026,26-11-2026,ok", "A8,W8,COD,Delivered,,,25-11-2026"],
    "sssss",
)
text = ["Order ID,AWB No,Status,Remarks,Promised Delivery Date,", "A1,W1,Delivered,Given to him,,"]
FILES["a status put in, where the last column is empty"] = (
    [*text, "A2,W2,Delivered,Picked Up,,2026-11-24", "A3,W3,Delivered,Left at the gate,,"],
    "shs",
)
text = ["Order ID,AWB No,Status,Remarks,POD Link,", "A1,W1,Delivered,Given,https://pod.example/0,"]
FILES["a status put in, where a remark is empty"] = (
    [*text, "A2,W2,Delivered,Picked Up,,https://pod.example/1", "A3,W3,Delivered,Left,,"],
    "shs",
)
text = [
    "Order ID,Previous Status,Status",
    *(f"FY03070{at}11300,In Transit,Picked Up" for at in "12"),
]
FILES["a number put in before the id"] = ([*text, "12,FY03070311300,Picked Up"], "ssh")

text = [TITLES, f"FYE1,99000001,Delivered,{WHEN}", f"10001,SF9900001,Delivered,{WHEN}"]
FILES["order ids of two kinds"] = (text, "ss")

for marks in ("\ufeff\ufeff", "\ufeff\ufeff\ufeff", "\ufeffï»¿", "ï»¿"):
    text = [f'{marks}"Shipment\nType","Order ID","Status","Event Time"']
    text += [f"{way},A{at},Delivered,{WHEN}" for at, way in enumerate(("RTO", "Forward"))]
    FILES[f"marks before the first heading: {marks!a}"] = (text, "hs")


# Short words for a way back where directions stand beside them.
for name in ("Type", "Shipment Type", "Order Type"):
    column(name, ("R/O", "RP", "S/R", "R.P.", "CIR", "FWD", "Forward"), "hhhhhss")
column("Direction", ("RP", "F", "F"), "hss")
column("Mode", ("SR", "RP", "Surface", "Express"), "ssss")
column("Type", ("RP", "SR", "Forward"), "ssh", status="Return Delivered")
column("Txn Type", ("Cust Return", "Stock Return", "Sale", "Return from customer"), "hhsh")
for name in ("Document", "Doc Type", "Voucher Type"):
    column(name, ("Return Challan", "RTO Challan", "Invoice", "Delivery Challan"), "hhss")
column("Document", ("RTO Challan",), "s", status="RTO Delivered")
column("Zone", ("A-RTO", "RTO", "A", "C1", "Return Nagar"), "hhsss")
column("Route", ("BLR-DEL (RTO)", "(RTO)", "BLR-DEL", "R/O 4", "RP Road"), "hhsss")
column("Warehouse", ("Bhiwandi WH", "RTO WH Bhiwandi", "Return Center Delhi"), "sss")
column("Parcel wapas aaya", ("haan", "ha", "nahi", ""), "hhss")
column("Aana/Jaana", ("Wapas", "Vapasi", "Jaana"), "hhs")
for name in ("RTO Recd", "RTO LR", "RTO POD", "Recd Back", "Received Back Date"):
    column(name, (filled_in := "27-11-2026", "", "NA"), "hss")
    column(name, (filled_in, ""), "ss", status="RTO Delivered")
column("Rto done", ("Done", "No", ""), "hss")
column("Narration", ("RTO received", "Return gift", "Sale"), "hss")
column("Description", ("Received in transit pack", "Reverse osmosis"), "ss")
column("Updated By", ("RTO Desk", "RTO Team"), "ss")
column("Consignee Name", ("RTO Warehouse", "Ravi Merchant", "Return Kumar"), "hss")
column("Delivered To", ("Vendor", "Client WH", "Warehouse", "Customer"), "hhss")
column("Pickup Type", ("Customer Pickup", "Warehouse", "Store"), "hss")
# Fields of a record in one cell.
cells = ('{"rto":true}', '{"is_rto": "Y"}', '{"direction":"reverse"}', '{"delivered":false}')
cells += ("<rto>Y</rto>", '{"rto":false}', '{"return_policy":"7 days"}', '{"type":"forward"}')
cells += ('{"url":"https://x/rto"}', "")
column("Meta", [cell.replace('"', '""').join('""') for cell in cells], "hhhhhsssss")
column("Details", ("RTO: Yes", "RTO: No", "rto=false", "Return: 7 days"), "hsss")
# Types and groups of scans, misspelt and in codes.
for name in ("San Group", "Scan Grop", "Stauts Type", "StatusType", "Statsu", "Lst Status"):
    column(name, ("DL", "RT", "UD", "Undelivered", "RTO In Transit", "PP", "LT"), "shhhhhh")
    column(name, ("Delivered", "RTO"), "sh")
    column(name, ("RT", ""), "ss", status="RTO Delivered")
column("Scan Group", ("PP", "DL"), "ss", status="Return Delivered")
for name in ("GST Status", "Payment Status", "Ewaybill Stauts", "State", "Site", "Old Statsu"):
    column(name, ("RT", "PP", "UD", "Ok"), "ssss")
for name in ("WH Status", "Inventory Status"):
    cells = ("RTO Received", "Received back", "Restocked", "Returned", "Dispatched", "Sold")
    column(name, cells, "hhhhss")
    column(name, ("Returned", "Restocked"), "ss", status="RTO Delivered")
# Whether it is true, and to be sent.
column(
    "Check", ("Wrong", "Galat", "Not OK", "Mismatch", "❌", "OK", "✅", "No", "Yes"), "hhhhhssss"
)
column("", ("❌", "✅", "", "VIP"), "hsss")
column("Verified", ("Wrong status", "Not delivered", "No", "Yes"), "hhss")
column("Correct?", ("Galat", "Wrong", "Yes", "Done"), "hhss")
for name in ("Hold", "On Hold", "Dispute", "Fake", "Lost/Damage", "Part Shipment"):
    column(name, ("Yes", "No", ""), "hss")
column("Dispute", ("Weight", "Weight dispute"), "ss")
column("Payment Hold", ("Yes", "No"), "ss")
for name in ("Valid", "Push", "Mil gaya"):
    column(name, ("No", "Yes", ""), "hss")
column("Claim Status", ("Lost", "Rejected", "", "NA"), "hsss")
for name in ("Cancelled By", "Cancellation Reason"):
    column(name, ("Customer", "", "NA"), "hss")
cells = ("Actually RTO", "RTO ho gaya", "Pls update RTO", "mark as RTO", "wapas aa gaya", "fake")
cells += ("galti se delivered", "ok", "RTO nahi hua", "fake number", "mark at gate", "RTO avoided")
column("Remarks", cells, "hhhhhhhsssss")
column("Remarks", ("Actually RTO", "RTO ho gaya"), "ss", status="RTO Delivered")
# A refund, a credit note and an exchange come weeks after the delivery.
for name in ("Refund Date", "Refunded On", "Exchange ID", "CN No", "Credit Note No"):
    column(name, ("27-11-2026", "", ""), "sss")
column("Refund Date", ("27-11-2026", "28-11-2026"), "hh")
column("Qty,Delivered", ("2,1", "2,2", "1,1"), "hss")
column("Qty,Delivered", ("2,1", "1,1", "3,1"), "sss")  # a yes
column("Order Qty,Shipped Qty", ("2,1", "2,2", "1,1"), "hss")
ROWS = "A1,W1,Delivered,,2,1\nA1,W2,Delivered,,2,1\nA2,W3,Delivered,,2,1"
FILES["an order's parcels with a part of it each"] = (
    [f"{','.join(HEADER)},Order Qty,Shipped Qty", *ROWS.split("\n")],
    "ssh",
)
for said in ("NotFound", "Not Avl", "no_order", "XXXX", "Awaiting", "Self", "Walk-in", "Duplicate"):
    row = f"FYA1001,W1,Delivered,\n{said},W2,Delivered,"
    FILES[f"an order id {said}"] = ([",".join(HEADER), *row.split("\n")], "sh")
for said in ("77", "ABC", "X", "SELFIE"):
    row = f"FYA1001,W1,Delivered,\n{said},W2,Delivered,"
    FILES[f"an order id {said}"] = ([",".join(HEADER), *row.split("\n")], "ss")

# Errors of formulas in a text file.
for said in ("#REF!", "#VALUE!", "#NAME?"):
    column("Is RTO", (said, "No", "Yes"), "hsh")
    column("Shipment Type", (said, "FWD", "RTO"), "hsh")
    column("RTO AWB", (said, "", "W77001"), "ssh")
    column("Size", (said, "XL"), "ss")
for name in ("Is RTO", "RTO AWB", "Cancelled By"):
    column(name, ("nill", "#N/A", "Nill"), "sss")

TABS: dict[str, tuple[Sequence[str], str]] = {
    " and ".join(tabs): (tabs, ends)
    for *tabs, ends in (
        ("FWD", "RVS", "sh"),
        *(("Del", tab, "sh") for tab in ("Ret-Del", "Back2Seller", "R2S", "RVPU", "RTOD")),
        *(("Del", "R2D2", "ss"), ("Acme", "Return Gifts Pvt Ltd", "ss")),
        ("B2C 28 Nov", "CIR 28 Nov", "sh"),
        ("F", "R", "sh"),
        ("Outbound", "Inbound", "sh"),
        ("Outward", "Inward", "sh"),
        ("Customer Delivered", "Seller Delivered", "sh"),
        ("Delivered", "Wrong Delivered", "Fake Delivery", "POD Dispute", "Disputed", "shhhh"),
        ("Delivered", "Partially delivered", "Delivered to shipper", "shh"),
        ("Q", "R", "ss"),
        ("Inbound", "Sheet2", "ss"),
        ("Seller Delivered", "Delivered by Seller", "hs"),
        ("Seller Panel", "Delivered - Seller Panel", "ss"),
        ("Weight Dispute", "Wrong Pincode", "Missing POD", "Delivered", "ssss"),
        ("Not disputed", "F", "ss"),
        ("DL", "UD", "sh"),
        ("UD", "Sheet2", "ss"),
        ("28 Nov", "28 Nov (old)", "27 Nov", "shs"),
        ("Old Delhi", "Delhi", "New Delhi", "Delhi old", "sssh"),
        ("Old", "Sheet2", "ss"),
        ("Customer", "To seller", "Came back", "Wapsi", "shhh"),
        ("Delivered", "Retun", "Revrese 2", "Reverie", "shhs"),
        ("Sheet1", "Ret", "sh"),
        ("WHS", "Ret", "ss"),
        ("Forward", "CRR", "C2B", "CRP", "shhh"),
        ("Delivered", "To be deleted", "s"),
        ("Deleted rows", "Delivered", "s"),
    )
}
"""Names of tabs with one delivery each, and what becomes of it."""

UNREAD = "a tab that is told of,"
LISTED = (("Order ID", "Remark"), ("FYC101", "refused"))
BOOKS: dict[str, tuple[str, Sequence[Sequence[object]], str]] = {
    f"a tab {tab} of {rows[-1]}": (tab, rows, ends)
    for tab, rows, ends in (
        ("RTO", LISTED, "hss"),
        ("Cancelled", LISTED, "hss"),
        ("Undelivered orders", LISTED, "hss"),
        ("Do not update", LISTED, "hss"),
        ("RTO", ((770102,), (770103,)), "shh"),
        ("RTO", (("AWB No",), ("770102",)), "shs"),
        ("RTO", (*((f"Z{at:04}",) for at in range(50_000)), ("FYC103",)), "ssh"),
        ("Notes", (("FYC102 is RTO",), ("FYC103 was cancelled",)), "shh"),
        ("NDR", LISTED, "sss"),  # of an attempt before
        ("Delivered", LISTED, "sss"),
        ("Master", (("Order ID", "Policy"), ("FYC101", "7 days")), "sss"),
        ("RTO", (("City", "Count"), ("Delhi", 3)), "sss"),
        ("Pivot", (("Status", "28-11-2026"), ("Delivered", 1234), ("Undelivered", 40)), "sss"),
        ("Legend", (("Delivered", "with the customer"), ("RTO", "goes back")), "sss"),
        ("Notes", (("FYC101 is delivered",), ("RTO = returned to origin",)), "sss"),
        *(
            (tab, (("FYC101",), ("FYC102",)), "sss")
            for tab in (
                *("Returns", "Return requests", "Return Initiated", "Reverse pickups", "RTO risk"),
                *("Undelivered 27-Nov", "Not delivered yesterday", "RTO cancelled", "RTO Saved"),
                *("RTO Stopped", "NDR saved from RTO", "RTO Prevention", "Delivered after RTO"),
                *("Lost & Found", "Cancelled invoices"),
            )
        ),
        *(
            ("Notes", ((f"FYC101 {line}",),), "sss")
            for line in (
                *("RTO stopped, delivered", "was RTO, customer accepted, delivered", "fake RTO"),
                *(
                    "is delivered not RTO",
                    "RTO request cancelled",
                    "cancelled by mistake, delivered",
                ),
                *("return pickup booked", "customer wants return", "wrong RTO, delivered"),
            )
        ),
        *(
            (tab, (("FYC101",), ("FYC102",)), "hhs")
            for tab in ("RTO, Cancelled", "RTO & Lost", "Lost", "RTO 27-Nov", "Not delivered")
        ),
        ("Notes", (("FYC101 marked delivered by mistake, RTO",), ("FYC102 RTO",)), "hhs"),
        ("RTO", (("Order ID",), ("FYC999",)), "sss"),
        ("RTO", (("AWB No",), ("770104",)), "sss"),  # which is RTO Delivered
    )
} | {
    f"{UNREAD} {tab} of {rows[-1]}": (tab, rows, ends)
    for tab, rows, ends in (
        ("Sheet2", (("FYC109", "770109", "Delivered", WHEN),), "sss"),
        ("Sheet2", (("Ordr", "Trk", "Sttus"), ("FYC109", "770109", "Delivered")), "sss"),
        ("Sheet2", (("FYC101", "770101", "Undelivered"), ("FYC102", "", "RTO Initiated")), "hhs"),
        ("Sheet2", (("FYC101", "770101", "In Transit"), ("FYC102", "", "Lost")), "shs"),
        ("Corrections", (("Order ID", "Correct Status"), ("FYC102", "RTO")), "shs"),
        ("NDR", (("Attempt", "AWB", "Sttus"), (1, "FYC102", "Undelivered")), "sss"),
    )
}
"""A tab without a table, what stands on it, and what becomes of three deliveries beside it."""

STATUSES = ("Delivered", "Picked Up", "Undelivered", "RTO Delivered")
BOOKS["a tab of RTOs whose statuses tell the ways apart, beside another tab"] = (
    "rto shipments",
    (HEADER, *((f"FYC20{at}", f"77020{at}", each, WHEN) for at, each in enumerate(STATUSES))),
    "sssshhh",
)


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.soak)])
def test_rows_are_held_and_sent_as_a_clerk_would(tmp_path: Path, every: int) -> None:
    """Every twelfth of the files, and all workbooks; in the soak all of them."""
    chosen = dict([*FILES.items()][::every])
    files = {}
    for at, (name, (text, _)) in enumerate(chosen.items()):
        files[name] = tmp_path / f"day{at}.csv"
        files[name].write_text("\n".join(text) + "\n", encoding="utf-8")
    for at, (name, (tabs, _)) in enumerate(TABS.items()):
        files[name] = tmp_path / f"book{at}.xlsx"
        book = openpyxl.Workbook()
        for number, tab in enumerate(tabs):
            sheet = book.create_sheet(tab)
            sheet.append(HEADER)
            sheet.append((f"B{at}-{number}", f"WB{at}{number}00", "Delivered", WHEN))
        book.remove(book.worksheets[0])
        book.save(files[name])
    for at, (name, (tab, rows, _)) in enumerate(BOOKS.items()):
        files[name] = tmp_path / f"list{at}.xlsx"
        book = openpyxl.Workbook()
        data, beside = book.worksheets[0], book.create_sheet(tab)
        for row in (HEADER, *(_listed(each, "Delivered") for each in "123")):
            data.append(row)
        data.append(_listed("4", "RTO Delivered"))
        for row in rows:
            beside.append(row)
        book.save(files[name])
    paths = [*files.values()]
    for at in range(0, len(paths), AT_ONCE):
        Root(tmp_path).run("check", "--out", tmp_path / "out", *paths[at : at + AT_ONCE])
    found = {name: _ends(tmp_path / "out", file.stem) for name, file in files.items()}
    assert found == {name: wanted for name, (_, wanted) in (chosen | TABS).items()} | {
        name: f"{wanted}s" for name, (_, _, wanted) in BOOKS.items()
    }
    told = {
        name
        for name, file in files.items()
        for made in (tmp_path / "out").glob(f"{file.stem}__*.summary.json")
        if "SHEET_NOT_READ" in made.read_text(encoding="utf-8")
    }
    assert told == {name for name in BOOKS if name.startswith(UNREAD)}


def _listed(each: str, status: str) -> tuple[str, ...]:
    return f"FYC10{each}", f"77010{each}", status, WHEN


def _ends(out: Path, stem: str) -> str:
    (results,) = out.glob(f"{stem}__*.results.csv")
    with results.open(encoding="utf-8-sig", newline="") as file:
        ends = [each["outcome"] for each in csv.DictReader(file)]
    return "".join("s" if each in {"unsent", "duplicate"} else "h" for each in ends)
