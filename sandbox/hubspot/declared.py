"""The declarations of properties: name, form (see catalog.FORMS) and label, a line or a `|` between them."""

COMMON = """
    hs_object_id n! Record ID | hs_createdate D Create date | hs_lastmodifieddate D! Last modified date
    hubspot_owner_id o Owner | hubspot_owner_assigneddate D! Owner assigned date | hubspot_team_id m! HubSpot team
    hs_all_owner_ids m! All owner IDs | hs_all_team_ids m! All team IDs | hs_owning_teams m Owning teams
    hs_created_by_user_id n! Created by user ID | hs_updated_by_user_id n! Updated by user ID
    hs_merged_object_ids m! Merged record IDs | hs_object_source t! Record source | hs_object_source_id t! Record source ID
    hs_object_source_label s! Record source label | hs_object_source_user_id n! Record source user ID
    hs_object_source_detail_1 t! Record source detail 1 | hs_object_source_detail_2 t! Record source detail 2
    hs_object_source_detail_3 t! Record source detail 3 | hs_read_only b! Read only record
    hs_shared_team_ids m Shared teams | hs_shared_user_ids m Shared users | hs_unique_creation_key t!* Unique creation key
    hs_user_ids_of_all_owners m! User IDs of all owners | hs_user_ids_of_all_notification_followers m! Followers
    hs_user_ids_of_all_notification_unfollowers m! Unfollowers | hs_was_imported b! Performed in an import"""
ENGAGEMENT = """
    hs_timestamp D Activity date | hs_activity_type s Activity type | hs_attachment_ids m Attached file IDs
    hs_engagement_source t! Engagement source | hs_engagement_source_id t! Engagement source ID
    hs_follow_up_action t! Follow-up action | hs_gdpr_deleted b! GDPR deleted | hs_modified_by n! Modified by
    hs_product_name t Product name | hs_queue_membership_ids m Queue memberships | hs_created_by n! Created by user
    hs_body_preview t! Body preview | hs_body_preview_html h! Body preview HTML
    hs_body_preview_is_truncated b! Body preview is cut | hs_at_mentioned_owner_ids m At-mentioned owners
    hs_unique_id t! Unique ID | hs_all_accessible_team_ids m! Accessible teams
    hs_engagement_activity_assignee n! Assignee"""

BUILT_IN = {
    "contacts": """
        email t* Email | firstname t First name | lastname t Last name | phone p Phone number
        mobilephone p Mobile phone number | fax t Fax number | company t Company name | jobtitle t Job title
        website t Website URL | address t Street address | city t City | state t State/Region | zip t Postal code
        country t Country/Region | salutation t Salutation | date_of_birth t Date of birth | gender t Gender
        industry t Industry | annualrevenue t Annual revenue | numemployees s Number of employees
        hs_language s Preferred language | lifecyclestage r Lifecycle stage | hs_lead_status r Lead status
        hs_additional_emails m! Additional email addresses | createdate D Create date
        lastmodifieddate D! Last modified date | associatedcompanyid n! Primary associated company ID
        hs_calculated_merged_vids t! Merged contact IDs with timestamps | hs_calculated_phone_number t! Calculated phone
        hs_searchable_calculated_phone_number t! Searchable phone number
        hs_searchable_calculated_mobile_number t! Searchable mobile number
        hs_searchable_calculated_international_phone_number t! Searchable international phone
        hs_email_domain t! Email domain | hs_full_name_or_email t! Full name or email | hs_persona s Persona
        hs_legal_basis c Legal basis | hs_marketable_status s! Marketing contact status | hs_email_optout b! Opted out
        hs_analytics_source s! Original source | hs_latest_source s! Latest source | hs_lead_source t Lead source
        hs_linkedin_url t LinkedIn URL | twitterhandle t Twitter username | hs_timezone s Time zone
        hs_buying_role c Buying role | hs_seniority s Seniority | hs_role s Role
        first_deal_created_date D! First deal created | notes_last_contacted D! Last contacted
        notes_last_updated D! Last activity date | notes_next_activity_date D! Next activity date
        num_associated_deals n! Number of associated deals | num_notes n! Number of sales activities
        num_contacted_notes n! Number of times contacted | num_unique_conversion_events n! Unique forms submitted
        num_conversion_events n! Form submissions | hubspotscore n! HubSpot score | message a Message | notes a Notes
        closedate D Close date | recent_deal_amount n! Recent deal amount | total_revenue n! Total revenue""",
    "companies": """
        name t Company name | domain t Company domain name | phone p Phone number | website t Website URL
        address t Street address | address2 t Street address 2 | city t City | state t State/Region | zip t Postal code
        country t Country/Region | industry s Industry | type s Type | description a Description
        numberofemployees n Number of employees | annualrevenue n Annual revenue | founded_year t Year founded
        timezone t Time zone | is_public b Is public | lifecyclestage r Lifecycle stage | hs_lead_status r Lead status
        createdate D Create date | closedate D Close date | hs_additional_domains m Additional domains
        hs_parent_company_id n Parent company | hs_num_child_companies n! Number of child companies
        num_associated_contacts n! Number of associated contacts | num_associated_deals n! Number of associated deals
        notes_last_contacted D! Last contacted | notes_last_updated D! Last activity date
        notes_next_activity_date D! Next activity date | total_money_raised t Total money raised
        total_revenue n! Total revenue | recent_deal_amount n! Recent deal amount | linkedin_company_page t LinkedIn page
        facebook_company_page t Facebook page | twitterhandle t Twitter handle | about_us a About us
        hs_analytics_source s! Original source | hs_country_code t! Country code | web_technologies c Web technologies
        hs_target_account s Target account | hs_ideal_customer_profile s Ideal customer profile tier""",
    "deals": """
        dealname t Deal name | amount n Amount | dealstage r Deal stage | pipeline s Pipeline | closedate D Close date
        createdate D Create date | dealtype r Deal type | description a Deal description | hs_priority s Priority
        deal_currency_code s Currency | amount_in_home_currency n! Amount in company currency
        hs_exchange_rate n! Exchange rate | hs_deal_stage_probability n! Deal probability | hs_is_closed b! Is deal closed?
        hs_is_closed_won b! Is closed won | hs_is_closed_lost b! Is closed lost | closed_lost_reason a Closed lost reason
        closed_won_reason a Closed won reason | hs_acv n Annual contract value | hs_arr n Annual recurring revenue
        hs_mrr n Monthly recurring revenue | hs_tcv n Total contract value | hs_forecast_amount n! Forecast amount
        hs_forecast_probability n Forecast probability | hs_manual_forecast_category s Forecast category
        hs_closed_amount n! Closed deal amount | hs_projected_amount n! Weighted amount | hs_next_step t Next step
        hs_analytics_source s! Original source | days_to_close n! Days to close | num_associated_contacts n! Contacts
        num_contacted_notes n! Times contacted | num_notes n! Sales activities | notes_last_contacted D! Last contacted
        notes_last_updated D! Last activity date | notes_next_activity_date D! Next activity date
        hs_date_entered_closedwon D! Entered closed won | hs_date_entered_closedlost D! Entered closed lost
        hs_campaign t HubSpot campaign | hs_tag_ids c Deal tags""",
    "calls": f"""{ENGAGEMENT}
        hs_call_title t Call title | hs_call_body h Call notes | hs_call_duration n Call duration
        hs_call_direction r Call direction | hs_call_status s Call status | hs_call_disposition s Call outcome
        hs_call_from_number t From number | hs_call_to_number t To number | hs_call_recording_url t Recording URL
        hs_call_has_transcript b! Transcript available | hs_call_source t Call source | hs_call_app_id n Call app ID
        hs_call_external_id t External call ID | hs_call_summary a! Call summary | hs_call_callee_object_id n Callee ID
        hs_call_callee_object_type_id t Callee type | hs_call_video_recording_url t Video URL""",
    "emails": f"""{ENGAGEMENT}
        hs_email_subject t Email subject | hs_email_text a Email body | hs_email_html h Email HTML
        hs_email_direction r Email direction | hs_email_status s Email status | hs_email_headers t Email headers
        hs_email_from_email t! From address | hs_email_from_firstname t! From first name | hs_email_from_raw t! From
        hs_email_from_lastname t! From last name | hs_email_to_email t! To addresses | hs_email_to_raw t! To
        hs_email_to_firstname t! To first name | hs_email_to_lastname t! To last name | hs_email_cc_email t! Cc addresses
        hs_email_bcc_email t! Bcc addresses | hs_email_message_id t! Message ID | hs_email_thread_id t! Thread ID
        hs_email_open_count n! Opens | hs_email_click_count n! Clicks | hs_email_reply_count n! Replies
        hs_email_logged_from t Logged from | hs_email_tracker_key t! Tracker key""",
    "meetings": f"""{ENGAGEMENT}
        hs_meeting_title t Meeting name | hs_meeting_body h Meeting description | hs_internal_meeting_notes h Internal notes
        hs_meeting_start_time D Meeting start time | hs_meeting_end_time D Meeting end time
        hs_meeting_outcome s Meeting outcome | hs_meeting_location t Meeting location
        hs_meeting_location_type s Location type | hs_meeting_external_url t External URL
        hs_meeting_source t! Meeting source | hs_meeting_source_id t! Meeting source ID
        hs_meeting_calendar_event_hash t! Calendar event hash | hs_attendee_owner_ids m Attendees
        hs_contact_first_outreach_date D! First outreach | hs_guest_emails t! Guest emails | hs_i_cal_uid t! iCal UID
        hs_time_to_book_meeting_from_first_contact n! Time to book""",
    "tasks": f"""{ENGAGEMENT}
        hs_task_subject t Task title | hs_task_body h Task notes | hs_task_status s Task status
        hs_task_priority s Priority | hs_task_type s Task type | hs_task_reminders t Reminders
        hs_task_completion_date D! Completed at | hs_task_is_completed n! Is completed | hs_task_is_overdue b! Is overdue
        hs_task_is_all_day b All day | hs_task_is_past_due_date b! Past due date | hs_task_for_object_type t! For type
        hs_task_last_contact_outreach D! Last outreach | hs_task_completion_count n! Completions
        hs_task_family s! Task family | hs_task_missed_due_date b! Missed due date | hs_repeat_status t! Repeat status""",
    "notes": f"""{ENGAGEMENT}
        hs_note_body h Note body | hs_note_ms_teams_payload t! MS Teams payload""",
}

# Values and labels of the options, by property.
OPTIONS = {
    "lifecyclestage": "subscriber=Subscriber,lead=Lead,marketingqualifiedlead=Marketing Qualified Lead,"
    "salesqualifiedlead=Sales Qualified Lead,opportunity=Opportunity,customer=Customer,evangelist=Evangelist,"
    "other=Other,1054321=Trial user",
    "hs_lead_status": "NEW=New,OPEN=Open,IN_PROGRESS=In Progress,OPEN_DEAL=Open Deal,UNQUALIFIED=Unqualified,"
    "ATTEMPTED_TO_CONTACT=Attempted to Contact,CONNECTED=Connected,BAD_TIMING=Bad Timing",
    "numemployees": "1-5,5-25,25-50,50-100,100-500,500-1000,1000+",
    "hs_language": "en=English,de=German,fr=French,es=Spanish,pl=Polish,uk=Ukrainian,ja=Japanese,ar=Arabic",
    "hs_buying_role": "BUDGET_HOLDER=Budget Holder,CHAMPION=Champion,DECISION_MAKER=Decision Maker,END_USER=End User",
    "hs_object_source_label": "CRM_UI=CRM UI,IMPORT=Import,INTEGRATION=Integration,FORM=Form,CONTACTS=Contacts",
    "industry": "COMPUTER_SOFTWARE=Computer Software,FOOD_PRODUCTION=Food Production,TEXTILES=Textiles,"
    "LOGISTICS_AND_SUPPLY_CHAIN=Logistics and Supply Chain,RENEWABLES_ENVIRONMENT=Renewables & Environment",
    "type": "PROSPECT=Prospect,PARTNER=Partner,RESELLER=Reseller,VENDOR=Vendor,OTHER=Other",
    "dealtype": "newbusiness=New Business,existingbusiness=Existing Business",
    "hs_priority": "low=Low,medium=Medium,high=High",
    "hs_manual_forecast_category": "OMIT=Not forecasted,PIPELINE=Pipeline,BEST_CASE=Best case,COMMIT=Commit",
    "hs_call_direction": "INBOUND=Inbound,OUTBOUND=Outbound",
    "hs_call_status": "BUSY=Busy,CALLING_CRM_USER=Calling CRM User,CANCELED=Canceled,COMPLETED=Completed,"
    "CONNECTING=Connecting,FAILED=Failed,IN_PROGRESS=In Progress,MISSED=Missed,NO_ANSWER=No Answer,QUEUED=Queued,"
    "RINGING=Ringing",
    "hs_call_disposition": "9d9162e7-6cf3-4944-bf63-4dff82258764=Busy,f240bbac-87c9-4f6e-bf70-924b57d47db7=Connected,"
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff=Left live message,b2cf5968-551e-4856-9783-52b3da59a7d0=Left voicemail,"
    "73a0d17f-1163-4015-bdd5-ec830791da20=No answer,17b47fee-58de-441e-a44c-c6300d46f273=Wrong number",
    "hs_email_direction": "EMAIL=Email,INCOMING_EMAIL=Incoming email,FORWARDED_EMAIL=Forwarded email",
    "hs_email_status": "BOUNCED=Bounced,FAILED=Failed,SCHEDULED=Scheduled,SENDING=Sending,SENT=Sent",
    "hs_meeting_outcome": "SCHEDULED=Scheduled,COMPLETED=Completed,RESCHEDULED=Rescheduled,NO_SHOW=No Show,"
    "CANCELED=Canceled",
    "hs_meeting_location_type": "ADDRESS=Address,PHONE=Phone,CUSTOM=Custom",
    "hs_task_status": "NOT_STARTED=Not started,IN_PROGRESS=In progress,WAITING=Waiting,COMPLETED=Completed,"
    "DEFERRED=Deferred",
    "hs_task_priority": "NONE=None,LOW=Low,MEDIUM=Medium,HIGH=High",
    "hs_task_type": "TODO=To-do,CALL=Call,EMAIL=Email,LINKED_IN=LinkedIn,MEETING=Meeting",
    "hs_activity_type": "DEMO=Product demo,SITE_VISIT=Site visit,LUNCH=Lunch",
}

# Custom properties: name, label, form, options. Two of one label.
CUSTOM: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "contacts": (
        ("lead_source_2", "Lead source", "s", "inbound=Inbound,outbound=Outbound,referral=Referral,fair=Trade fair"),
        ("interests", "Interests", "c", "pricing=Pricing,support=Support,security=Security,roadmap=Roadmap"),
        ("score_by_hand", "Score", "n", ""),
        ("region", "Region", "t", ""),
        ("region_2", "Region", "s", "north=North,south=South,east=East,west=West"),
        ("last_contract", "Last contract", "d", ""),
        ("last_demo", "Last demo", "D", ""),
        ("external_id", "External ID", "t*", ""),
        ("background", "Background", "a", ""),
        ("vip", "VIP ⭐", "b", ""),
        ("legacy_id", "Legacy ID", "n", ""),
    ),
    "companies": (
        ("tier", "Tier", "s", "bronze=Bronze,silver=Silver,gold=Gold"),
        ("vat_number", "VAT number", "t", ""),
        ("tags", "Tags", "c", "key=Key account,reseller=Reseller,risk=At risk"),
        ("customer_since", "Customer since", "d", ""),
        ("legacy_id", "Legacy ID", "n", ""),
    ),
    "deals": (
        ("po_number", "PO number", "t", ""),
        ("discount", "Discount", "n", ""),
        ("kick_off", "Kick-off", "d", ""),
        ("products_sold", "Products", "c", "core=Core,addon=Add-on,training=Training"),
        ("demo_at", "Demo at", "D", ""),
    ),
    "calls": (), "emails": (), "meetings": (), "tasks": (), "notes": (),
}  # fmt: skip
